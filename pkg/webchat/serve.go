package webchat

import (
	"embed"
	"html/template"
	"io/fs"
	"net/http"
)

//go:embed page
var files embed.FS

var (
	assets = must(fs.Sub(files, "page"))
	index  = template.Must(template.ParseFS(assets, "index.html"))
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err) // the files are part of the binary
	}
	return v
}

// policy is what the page may load and do: its own files and endpoints.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// Handler serves the page and its endpoints, and hands every other request to
// ingress, whose Parsers hold the Hub under Path.
func (h *Hub) Handler(ingress http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /{$}", h.own(h.page))
	mux.Handle("GET /web/assets/{file}", h.own(serveAsset))
	mux.Handle("GET /web/events", h.own(h.events))
	mux.Handle("GET /web/history", h.own(h.history))
	mux.Handle(Path, withHost(ingress))
	mux.Handle("/", ingress)
	return mux
}

// withHost puts the request's host back among its headers, from where net/http
// takes it away and where a Parser looks for it.
func withHost(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r = r.Clone(r.Context())
		r.Header.Set("Host", r.Host)
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		next.ServeHTTP(w, r)
	})
}

// own keeps everybody else out: a site whose name leads here must not read what
// people ask.
func (h *Hub) own(next http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		head := w.Header()
		head.Set("Content-Security-Policy", policy)
		head.Set("X-Content-Type-Options", "nosniff")
		head.Set("Referrer-Policy", "no-referrer")
		head.Set("Cross-Origin-Opener-Policy", "same-origin")
		head.Set("Cross-Origin-Resource-Policy", "same-origin")
		if !h.ownHost(r.Host) {
			h.config.Log.Warn("refused", "path", r.URL.Path, "err", errForeignHost)
			http.Error(w, "This page is only for the machine it runs on.", http.StatusForbidden)
			return
		}
		next(w, r)
	})
}

func (h *Hub) page(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-cache")
	if err := index.Execute(w, h.config); err != nil {
		h.config.Log.Warn("serve page", "err", err) // the browser has gone
	}
}

// serveAsset serves one file of the page. Their names never change, so a browser
// must ask again each time.
func serveAsset(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-cache")
	http.ServeFileFS(w, r, assets, r.PathValue("file"))
}
