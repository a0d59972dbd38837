// The search of the site runs in a worker, and browsers start no worker from a file. In a site that is
// read from a folder, without a server, its script runs in a hidden frame instead. (Zensical would load a
// script for this from the web, unless there is one of this name.)
if (location.protocol === "file:") {
  window.Worker = class {
    constructor(url) {
      this.frame = document.createElement("iframe");
      this.frame.hidden = true;
      this.started = new Promise((resolve, reject) => {
        this.frame.onload = () => {
          const inside = this.frame.contentWindow;
          inside.postMessage = (data) => setTimeout(() => this.onmessage?.({ data }));
          const script = inside.document.createElement("script");
          script.src = url;
          script.onload = () => resolve(inside);
          script.onerror = reject;
          inside.document.body.append(script);
        };
      });
      this.started.catch((error) => this.onerror?.(error));
      document.body.append(this.frame);
    }

    postMessage(data) {
      this.started.then((inside) => inside.onmessage({ data }), () => {});
    }

    terminate() {
      this.frame.remove();
    }
  };
}
