const { line, listeners } = getApp()

Page({
  data: { state: line.state, messages: [], text: '' },

  onLoad() {
    this.listener = {
      onMessage: (data) => this.setData({ messages: [...this.data.messages, data].slice(-100) }),
      onState: (state) => this.setData({ state }),
    }
    listeners.add(this.listener)
  },

  onUnload() {
    listeners.delete(this.listener)
  },

  onInput(event) {
    this.setData({ text: event.detail.value })
  },

  onSend() {
    if (this.data.text && line.send(this.data.text)) this.setData({ text: '' })
  },
})
