import json,sys,collections
d=json.load(open(sys.argv[1])); nodes={n['id']:n for n in d['nodes']}
dt=d['timeDeltas']; c=collections.Counter()
for s,t in zip(d['samples'],dt): 
    f=nodes[s]['callFrame']; c[(f['functionName'],f['url'].split('/')[-1],f['lineNumber'])]+=t
tot=sum(c.values())
for k,v in c.most_common(45): print(f"{100*v/tot:5.1f}% {k}")
