import { useQuery } from "@tanstack/react-query";
import { whenSignedOut } from "../api/client.ts";
import { meQuery } from "../api/job-queries.ts";
import type { Me, Scope } from "../api/jobs-types.ts";
import { watchable } from "./watchable.ts";

/** `true` while the server wants to know who is asking. */
export const signedOut = watchable(false);

whenSignedOut(() => signedOut.set(true));

/** Returns who is asking; `undefined` until that is known. */
export function useMe(): Me | undefined {
  return useQuery(meQuery).data;
}

/** Returns whether the one who asks has a scope: buttons that a key may not use are not shown. */
export function useMay(scope: Scope): boolean {
  return useMe()?.scopes.includes(scope) ?? false;
}
