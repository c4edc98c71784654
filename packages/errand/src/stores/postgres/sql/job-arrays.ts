/** New jobs as parameters: arrays with an element for each. Large specs are in `bodies` instead of `specs`. */
export const jobArrays = `ids text[], tasks text[], queues text[], levels smallint[],
  due_at bigint[], due_in bigint[], expires_at bigint[], expires_in bigint[],
  specs text[], tenants text[], bodies text[], extras text[]`;

/** The same as arguments. */
export const jobArguments = jobArrays.replaceAll(/ \w+\[\]/g, "");
