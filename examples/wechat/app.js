const { Line } = require('./line.js')

// One line for the whole program, whatever page is shown.
App({
  onLaunch() {
    this.listeners = new Set()
    this.line = new Line({
      url: 'wss://domain.com/wss',
      onMessage: (data) => this.listeners.forEach((listener) => listener.onMessage(data)),
      onState: (state) => this.listeners.forEach((listener) => listener.onState(state)),
    })
    this.line.open()
  },
})
