/** The page of a room: it shows what the server sends, and posts what its form holds. */
export const page = `<!doctype html>
<html lang="en">
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <title>Chat</title>
  <style>
    body { font: 1rem/1.5 system-ui, sans-serif; max-width: 40rem; margin: 0 auto; padding: 1rem; }
    ol { list-style: none; padding: 0; min-height: 50vh; }
    li b { margin-right: .5rem; }
    li time { float: right; color: #888; font-size: .8rem; }
    form { display: flex; gap: .5rem; }
    input { font: inherit; padding: .3rem .5rem; border: 1px solid #aaa; border-radius: .3rem; }
    input[name=text] { flex: 1; }
    #state { color: #a40; min-height: 1.5rem; }
  </style>
  <h1></h1>
  <ol></ol>
  <p id="state" role="status">Connecting…</p>
  <form>
    <input name="author" placeholder="Name" required maxlength="40" size="10">
    <input name="text" placeholder="Message" required maxlength="1000" autocomplete="off">
    <button>Post</button>
  </form>
  <script type="module">
    const room = location.pathname.slice(1)
    const [list, state, form] = ["ol", "#state", "form"].map((selector) => document.querySelector(selector))
    document.querySelector("h1").textContent = decodeURIComponent(room)

    const events = new EventSource("/" + room + "/events")
    events.onopen = () => state.textContent = ""
    events.onerror = () => state.textContent = "The connection is lost. Trying again…"
    events.onmessage = (event) => {
      list.replaceChildren(...JSON.parse(event.data).messages.map(({ at, author, text }) => {
        const item = document.createElement("li")
        const time = document.createElement("time")
        time.textContent = new Date(at).toLocaleTimeString()
        const name = document.createElement("b")
        name.textContent = author
        const said = document.createElement("span")
        said.textContent = text
        item.append(time, name, said)
        return item
      }))
      list.lastElementChild?.scrollIntoView()
    }

    form.onsubmit = async (event) => {
      event.preventDefault()
      const message = Object.fromEntries(new FormData(form))
      const response = await fetch("/" + room, { method: "POST", body: JSON.stringify(message), headers: { "content-type": "application/json" } })
      if (response.ok) form.text.value = ""
      else state.textContent = await response.text()
    }
  </script>
</html>
`
