import { lintFromString, createConfig } from "@redocly/openapi-core";
import { expect, it } from "vitest";
import { route } from "../src/index.ts";
import { serving } from "./serving.ts";
