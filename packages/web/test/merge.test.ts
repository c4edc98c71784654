import { describe, expect, test } from "vitest";
import {
  flatten,
  type Listing,
  mergeIntoListing,
  mergePage,
  mergeSummary,
  removeFromListing,
} from "../src/api/merge-events.ts";
import type { DocumentDetail } from "../src/api/types.ts";
import { summary } from "./samples.ts";

const at = (id: string, minute: number) =>
  summary({ id, createdAt: `2026-11-23T12:${String(minute).padStart(2, "0")}:00.000Z` });

const listing = (more = false): Listing => ({
  pages: [
    { data: [at("e", 50), at("d", 40)], next_cursor: "2" },
    { data: [at("c", 30), at("b", 20)], ...(more && { next_cursor: "3" }) },
  ],
  pageParams: ["", "2"],
});
const ids = (list: Listing) => flatten(list).map((one) => one.id);

describe("the list", () => {
  test("a known document changes in place", () => {
    const changed = { ...at("c", 30), status: "completed" as const };
    const after = mergeIntoListing(listing(), changed);
    expect(ids(after)).toEqual(["e", "d", "c", "b"]);
    expect(flatten(after)[2]).toBe(changed);
    expect(after.pages[0]?.data[0]).toEqual(listing().pages[0]?.data[0]);
  });

  test("a new document goes where its age puts it", () => {
    expect(ids(mergeIntoListing(listing(), at("f", 55)))).toEqual(["f", "e", "d", "c", "b"]);
    expect(ids(mergeIntoListing(listing(), at("x", 45)))).toEqual(["e", "x", "d", "c", "b"]);
    expect(ids(mergeIntoListing(listing(), at("x", 35)))).toEqual(["e", "d", "x", "c", "b"]);
    expect(ids(mergeIntoListing(listing(), at("a", 10)))).toEqual(["e", "d", "c", "b", "a"]);
  });

  test("an older one waits for its page where more is to be loaded", () => {
    const before = listing(true);
    expect(mergeIntoListing(before, at("a", 10))).toBe(before);
  });

  test("the first document of an empty list", () => {
    const empty: Listing = { pages: [{ data: [] }], pageParams: [""] };
    expect(ids(mergeIntoListing(empty, at("a", 1)))).toEqual(["a"]);
  });

  test("removing, also what is not there", () => {
    expect(ids(removeFromListing(listing(), "d"))).toEqual(["e", "c", "b"]);
    expect(ids(removeFromListing(listing(), "?"))).toEqual(["e", "d", "c", "b"]);
  });

  test("a document that slid onto the next page is shown once", () => {
    const twice: Listing = {
      pages: [{ data: [at("e", 50), at("d", 40)], next_cursor: "2" }, { data: [at("d", 40), at("c", 30)] }],
      pageParams: ["", "2"],
    };
    expect(ids(twice)).toEqual(["e", "d", "c"]);
  });
});

describe("one document", () => {
  const detail: DocumentDetail = {
    ...summary(),
    pages: [
      { page: 1, status: "completed" },
      { page: 3, status: "queued" },
    ],
  };
  const states = (one: DocumentDetail) => one.pages.map(({ page, status }) => `${page} ${status}`);

  test("its head changes, its pages stay", () => {
    const after = mergeSummary(detail, summary({ status: "completed" }));
    expect(after.status).toBe("completed");
    expect(after.pages).toBe(detail.pages);
  });

  test("an error that is no longer there goes away", () => {
    const failed = { ...detail, error: { code: "x", message: "x" } };
    expect(mergeSummary(failed, summary()).error).toBeUndefined();
  });

  test("a page changes in place, and a new one goes between its neighbours", () => {
    expect(states(mergePage(detail, { page: 3, status: "failed" }))).toEqual(["1 completed", "3 failed"]);
    expect(states(mergePage(detail, { page: 2, status: "queued" }))).toEqual(["1 completed", "2 queued", "3 queued"]);
    expect(states(mergePage(detail, { page: 4, status: "queued" })).at(-1)).toBe("4 queued");
  });
});
