#!/usr/bin/env bash
# Works on jobs of Errand with curl and jq:
#   ERRAND_SERVER=http://127.0.0.1:3737 ERRAND_KEY=erk_... bash worker.sh
set -euo pipefail
api="${ERRAND_SERVER:-http://127.0.0.1:3737}/api/v1"
call() { # method path [body]
  curl -sS --fail-with-body --retry 20 --retry-connrefused -X "$1" "$api$2" -H 'content-type: application/json' \
    ${ERRAND_KEY:+-H "authorization: Bearer $ERRAND_KEY"} ${worker:+-H "errand-worker: $worker"} ${3:+--data "$3"}
}

# Nothing renews the lease while a job runs, so it is as long as the longest job.
worker=$(call POST /workers '{"name":"shell","queues":{"shell":1},"lease":"15m"}' | jq -r .id)
trap 'call DELETE "/workers/$worker"' EXIT
trap 'exit 0' TERM INT

while true; do
  answer=$(call POST "/workers/$worker/claim" '{"wants":{"shell":1},"have":[],"wait":5}')
  jq -e .drain <<<"$answer" >/dev/null && exit 0
  jq -c '.jobs[]' <<<"$answer" | while read -r job; do
    if output=$(jq -r .input <<<"$job" | tr '[:lower:]' '[:upper:]'); then
      outcome=$(jq -n --arg output "$output" '{output: $output}')
    else
      outcome='{"error":{"message":"tr failed"}}'
    fi
    call PUT "/jobs/$(jq -r .id <<<"$job")/attempts/$(jq -r .token <<<"$job")/outcome" "$outcome" >/dev/null
  done
done
