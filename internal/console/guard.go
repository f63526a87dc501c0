package console

import (
	"crypto/subtle"
	"mime"
	"net"
	"net/http"
	"strings"
)

// policy is the Content-Security-Policy: scripts, styles and connections are the console's own, and nothing is inline.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; " +
	"worker-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

const cookieName = "streamproof-console"

// A guard decides who may ask the console. Listening on 127.0.0.1 keeps other machines out; the guard keeps out:
//
//   - other users of this machine, who do not have the token. The token's address gives the browser a cookie. Browsers
//     send a cookie to every port of a host, so its path has a random segment that another local server cannot name.
//   - other sites in the browser. Those that name 127.0.0.1 directly send their origin, and get no cookie along; those
//     that let their own name resolve to 127.0.0.1 (DNS rebinding) send that name as Host.
type guard struct {
	port    string
	token   string // of the address that the user opens
	session string // the cookie's value
	path    string // of everything but the token's address, as /SEGMENT/
	next    http.Handler
}

func (g *guard) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	for name, value := range map[string]string{
		"Content-Security-Policy":      policy,
		"X-Content-Type-Options":       "nosniff",
		"X-Frame-Options":              "DENY",
		"Referrer-Policy":              "no-referrer",
		"Cross-Origin-Opener-Policy":   "same-origin",
		"Cross-Origin-Resource-Policy": "same-origin",
		"Cache-Control":                "no-store",
	} {
		w.Header().Set(name, value)
	}
	if status, why := g.refusal(r); status != 0 {
		http.Error(w, why, status)
		return
	}
	if r.URL.Path == "/" {
		http.SetCookie(w, &http.Cookie{Name: cookieName, Value: g.session, Path: g.path, HttpOnly: true, SameSite: http.SameSiteStrictMode})
		http.Redirect(w, r, g.path, http.StatusSeeOther)
		return
	}
	http.StripPrefix(strings.TrimSuffix(g.path, "/"), g.next).ServeHTTP(w, r)
}

// refusal returns the status and the sentence of a request that is refused, 0 for one that is not.
func (g *guard) refusal(r *http.Request) (status int, why string) {
	host, port, err := net.SplitHostPort(r.Host)
	switch {
	case err != nil || port != g.port || host != "127.0.0.1" && host != "localhost":
		return http.StatusMisdirectedRequest, "the console answers at 127.0.0.1 only"
	case !g.sameSite(r):
		return http.StatusForbidden, "the request comes from another site"
	case r.URL.Path == "/" && equal(r.URL.Query().Get("token"), g.token):
		return 0, ""
	case !strings.HasPrefix(r.URL.Path, g.path) || !g.hasCookie(r):
		return http.StatusForbidden, "open the address that `streamproof console` printed: it has the token"
	case r.Method == http.MethodGet || r.Method == http.MethodHead:
		return 0, ""
	case r.Method != http.MethodPost:
		return http.StatusMethodNotAllowed, "the console answers GET and POST"
	}
	// A form of another site can send neither.
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return http.StatusUnsupportedMediaType, "send JSON"
	}
	if r.Header.Get("X-Streamproof") == "" {
		return http.StatusForbidden, "the header X-Streamproof is missing"
	}
	return 0, ""
}

// sameSite reports whether the request is from the console's own page or from the user. The address with the token may
// be opened from anywhere.
func (g *guard) sameSite(r *http.Request) bool {
	if origin := r.Header.Get("Origin"); origin != "" && origin != "http://"+r.Host {
		return false
	}
	switch r.Header.Get("Sec-Fetch-Site") {
	case "", "same-origin", "none": // old browsers and programs send none
		return true
	}
	return r.Header.Get("Sec-Fetch-Mode") == "navigate" && r.Method == http.MethodGet
}

func (g *guard) hasCookie(r *http.Request) bool {
	for _, cookie := range r.CookiesNamed(cookieName) {
		if equal(cookie.Value, g.session) {
			return true
		}
	}
	return false
}

func equal(got, want string) bool { return subtle.ConstantTimeCompare([]byte(got), []byte(want)) == 1 }
