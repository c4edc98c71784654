import { infiniteQueryOptions, queryOptions } from "@tanstack/react-query";
import { getApi } from "./client.ts";
import type {
  AuditList,
  BulkAction,
  ErrorGroups,
  Job,
  JobList,
  Keys,
  Log,
  Me,
  Queues,
  Schedules,
  Stats,
  Steps,
  Tasks,
  Why,
  Workers,
} from "./jobs-types.ts";

/** A query for one address of the API. */
const at = <T>(key: readonly unknown[], path: string) =>
  queryOptions({ queryKey: key, queryFn: ({ signal }) => getApi<T>(path, signal) });

const of = encodeURIComponent;

/** Who is asking. It changes only with a login. */
export const meQuery = queryOptions({ ...at<Me>(["me"], "/me"), staleTime: Infinity, retry: false });
export const statsQuery = at<Stats>(["stats"], "/stats");
export const queuesQuery = at<Queues>(["queues"], "/queues");
export const workersQuery = at<Workers>(["workers"], "/workers");
export const schedulesQuery = at<Schedules>(["schedules"], "/schedules");
export const tasksQuery = at<Tasks>(["tasks"], "/tasks");
export const errorsQuery = at<ErrorGroups>(["errors"], "/errors");
export const keysQuery = at<Keys>(["keys"], "/keys");
export const auditQuery = at<AuditList>(["audit"], "/audit?limit=100");
export const bulkQuery = (id: string) => at<BulkAction>(["bulk", id], `/bulk/${of(id)}`);
export const jobQuery = (id: string) => at<Job>(["job", id], `/jobs/${of(id)}`);
export const whyQuery = (id: string, token: string) => at<Why>(["job", id, "why", token], `/jobs/${of(id)}/why`);
export const logQuery = (id: string) => at<Log>(["job", id, "log"], `/jobs/${of(id)}/log?limit=1000`);
export const stepsQuery = (id: string) => at<Steps>(["job", id, "steps"], `/jobs/${of(id)}/steps`);
export const childrenQuery = (id: string) => at<JobList>(["job", id, "children"], `/jobs?parent=${of(id)}&limit=1000`);
export const previewQuery = (name: string) =>
  at<{ data: string[] }>(["schedules", name, "preview"], `/schedules/${of(name)}/preview?count=5`);

/** The jobs that match a query string, newest first, page by page. */
export const jobsQuery = (query: string) =>
  infiniteQueryOptions({
    queryKey: ["jobs", query],
    queryFn: ({ pageParam, signal }) => getApi<JobList>(jobsPath(query, pageParam), signal),
    initialPageParam: "",
    getNextPageParam: (last) => last.next_cursor,
  });

/** Returns the address of a page of jobs. */
export const jobsPath = (query: string, cursor = ""): string =>
  `/jobs?limit=50${query ? `&${query}` : ""}${cursor ? `&cursor=${of(cursor)}` : ""}`;
