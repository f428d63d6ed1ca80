/** Where the documentation tells of an error: a file that the package exports, so that Node resolves it, and its section. */
export const docsUrl = (tag: string): string => `effect-larder/docs/errors.md#${tag.toLowerCase()}`
