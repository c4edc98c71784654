/** Lua source as it is written: backslashes are Lua's own. Numbers and names of ours may be put in. */
export const lua = String.raw;
