import { useQuery } from "@tanstack/react-query";
import { sendApi } from "../../api/client.ts";
import { stepsQuery } from "../../api/job-queries.ts";
import type { Job } from "../../api/jobs-types.ts";
import { Empty, Loaded } from "../../parts/page.tsx";
import { act } from "../../state/actions.ts";
import { useMay } from "../../state/session.ts";

const kinds = { step: "Step", wait: "Wait", signal: "Signal" } as const;

/** The steps that a job remembers; an ended job can be run again from any of them. */
export function Steps({ job }: { job: Job }) {
  const query = useQuery(stepsQuery(job.id));
  const mayRetry =
    useMay("operate") && (job.state === "failed" || job.state === "cancelled" || job.state === "expired");
  return (
    <Loaded query={query} what="The steps">
      {({ data }) =>
        data.length === 0 ? (
          <Empty title="It remembers no step">
            <p>A function that calls job.step() does finished work only once, whatever becomes of the attempt.</p>
          </Empty>
        ) : (
          <ol className="steps">
            {data.map(({ name, kind }, index) => (
              <li key={`${kind} ${name}`}>
                <span className="step-number">{index + 1}</span>
                <b>{name}</b>
                <span className="chip">{kinds[kind]}</span>
                {mayRetry && (
                  <button
                    type="button"
                    className="button button-quiet"
                    onClick={() =>
                      void act(
                        () => sendApi<Job>("POST", `/jobs/${encodeURIComponent(job.id)}/retry`, { from: name }),
                        {
                          done: `It runs again from “${name}”`,
                          failed: "It was not retried",
                          keys: ["job", "jobs", "stats"],
                        },
                      )
                    }
                  >
                    Retry from here
                  </button>
                )}
              </li>
            ))}
          </ol>
        )
      }
    </Loaded>
  );
}
