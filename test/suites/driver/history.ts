export * from "../../../src/testing/driver/history.ts"
