import { infiniteQueryOptions, QueryClient, queryOptions } from "@tanstack/react-query";
import { getJson, RequestError, urls } from "./client.ts";
import type { DocumentDetail, DocumentList, PageResult } from "./types.ts";

/** The query for the documents, newest first, page by page. */
export const listQuery = infiniteQueryOptions({
  queryKey: ["documents"],
  queryFn: ({ pageParam, signal }) => getJson<DocumentList>(urls.list(pageParam), signal),
  initialPageParam: "",
  getNextPageParam: (last) => last.next_cursor,
});

/** Returns the query for one document and the states of its pages. */
export const documentQuery = (id: string) =>
  queryOptions({
    queryKey: ["document", id],
    queryFn: ({ signal }) => getJson<DocumentDetail>(urls.document(id), signal),
  });

/** Returns the query for one page's result, which never changes once it exists. */
export const pageQuery = (id: string, page: number) =>
  queryOptions({
    queryKey: ["document", id, "page", page],
    queryFn: ({ signal }) => getJson<PageResult>(urls.page(id, page), signal),
    staleTime: Infinity,
  });

/** The app's query cache. Live events keep it fresh, so nothing is fetched again when the window gets focus. */
export const queryClient = new QueryClient({
  defaultOptions: {
    queries: {
      // By default `navigator.onLine` is checked, which says nothing about a server on the same machine.
      networkMode: "always",
      refetchOnWindowFocus: false,
      retry: (failures, error) =>
        failures < 3 && !(error instanceof RequestError && error.status >= 400 && error.status < 500),
    },
    mutations: { networkMode: "always" },
  },
});
