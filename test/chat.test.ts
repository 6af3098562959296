import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { chromium, type Page } from "playwright-core"
import { binary, freePort } from "./servers/server.ts"
import { request, serve, storages } from "./support/example.ts"

/** A page of a real browser. */
const open = Effect.fnUntraced(function*() {
  const executablePath = yield* binary(["chromium", "chromium-browser", "google-chrome"], "chromium")
  const browser = yield* Effect.acquireRelease(
    Effect.promise(() =>
      chromium.launch({
        executablePath,
        args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
      })
    ),
    (browser) => Effect.promise(() => browser.close())
  )
  return (url: string): Effect.Effect<Page> =>
    Effect.promise(async () => {
      const page = await browser.newPage()
      await page.goto(url)
      return page
    })
})

const shows = (page: Page, text: string) => Effect.promise(() => page.getByText(text, { exact: true }).waitFor())

const post = (page: Page, author: string, text: string) =>
  Effect.promise(async () => {
    await page.fill("input[name=author]", author)
    await page.fill("input[name=text]", text)
    await page.click("button")
  })

describe("examples/chat.ts", () => {
  for (const [name, storage] of Object.entries(storages)) {
    it.live(`${name}: pages of two servers get each other's messages`, () =>
      Effect.gen(function*() {
        const env = yield* storage
        const [one, two] = yield* Effect.forEach([yield* freePort, yield* freePort], (port) =>
          serve("chat", { ...env, PORT: `${port}` }))
        const visit = yield* open()
        const ada = yield* visit(one!.url)
        const grace = yield* visit(two!.url)
        yield* post(ada, "Ada", "Hello, <b>is anybody here</b>?")
        yield* shows(grace, "Hello, <b>is anybody here</b>?")
        yield* post(grace, "Grace", "On another server 🙂")
        yield* shows(ada, "On another server 🙂")
        yield* shows(grace, "On another server 🙂")
        const items = yield* Effect.promise(() =>
          ada.locator("li b").allTextContents()
        )
        assert.deepStrictEqual(items, ["Ada", "Grace"])
        // A room of its own
        const elsewhere = yield* visit(one!.url.replace("lobby", "elsewhere"))
        assert.strictEqual(yield* Effect.promise(() => elsewhere.locator("li").count()), 0)
        // Who comes later sees what was said
        yield* shows(yield* visit(two!.url), "Hello, <b>is anybody here</b>?")
        assert.strictEqual(yield* Effect.promise(() => ada.locator("#state").textContent()), "")

        const json = { "content-type": "application/json" }
        const bad = yield* request(one!.url, {
          method: "POST",
          headers: json,
          body: JSON.stringify({ author: "", text: "x" })
        })
        assert.strictEqual(bad.status, 400)
        assert.strictEqual((yield* request(one!.url.replace("/lobby", "/a/b/c"))).status, 404)
      }), 90_000)
  }
})
