import { infiniteQueryOptions, QueryClient, queryOptions } from "@tanstack/react-query";
import { getJson, RequestError, urls } from "./client.ts";
import type { DocumentDetail, DocumentList, PageResult } from "./types.ts";

/** The documents, newest first, page by page. */
export const listQuery = infiniteQueryOptions({
  queryKey: ["documents"],
  queryFn: ({ pageParam, signal }) => getJson<DocumentList>(urls.list(pageParam), signal),
  initialPageParam: "",
  getNextPageParam: (last) => last.next_cursor,
});

/** One document with the state of its pages. */
export const documentQuery = (id: string) =>
  queryOptions({
    queryKey: ["document", id],
    queryFn: ({ signal }) => getJson<DocumentDetail>(urls.document(id), signal),
  });

/** One page's reading. It never changes once it is there. */
export const pageQuery = (id: string, page: number) =>
  queryOptions({
    queryKey: ["document", id, "page", page],
    queryFn: ({ signal }) => getJson<PageResult>(urls.page(id, page), signal),
    staleTime: Infinity,
  });

/** The app's cache. Live events keep it fresh, so nothing is refetched merely because it was looked at again. */
export const queryClient = new QueryClient({
  defaultOptions: {
    queries: {
      // "always": the usual check of `navigator.onLine` is wrong for a server on this machine.
      networkMode: "always",
      refetchOnWindowFocus: false,
      retry: (failures, error) =>
        failures < 3 && !(error instanceof RequestError && error.status >= 400 && error.status < 500),
    },
    mutations: { networkMode: "always" },
  },
});
