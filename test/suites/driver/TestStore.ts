export * from "../../../src/testing/driver/TestStore.ts"
