/** Groups are tags that no program can write: their name begins with a control character. */

export const groupTag = (group: string): string => `\u0001${group}`

/** How a tag is called to people. */
export const showTag = (tag: string): string => (tag.startsWith("\u0001") ? `group ${tag.slice(1)}` : `tag ${tag}`)
