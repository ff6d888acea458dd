package web

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
)

// parseOrigins checks the configured origins, and tells whether they are https.
func parseOrigins(list []string) (origins map[string]bool, secure bool, err error) {
	if len(list) == 0 {
		return nil, false, errors.New("web: Origins: at least one is required, for example https://app.example")
	}
	origins = map[string]bool{}
	var problems []error
	var https, http int
	for _, o := range list {
		u, err := url.Parse(o)
		switch {
		case err != nil || u.Host == "" || o != u.Scheme+"://"+u.Host || strings.ToLower(o) != o || strings.HasSuffix(u.Host, ":"):
			problems = append(problems, fmt.Errorf("web: Origins: %q is not an origin: write scheme://host or scheme://host:port, in lower case and with nothing after it", o))
		case u.Scheme == "https" && u.Port() == "443", u.Scheme == "http" && u.Port() == "80":
			problems = append(problems, fmt.Errorf("web: Origins: %q names its scheme's own port, which browsers leave out", o))
		case u.Scheme == "https":
			https++
		case u.Scheme == "http" && loopback(u.Hostname()):
			http++
		default:
			problems = append(problems, fmt.Errorf("web: Origins: %q: plain HTTP is served to loopback hosts alone; everybody else needs https", o))
		}
		origins[o] = true
	}
	if https > 0 && http > 0 {
		problems = append(problems, errors.New("web: Origins: https and plain http cannot be mixed: the scheme decides the cookies"))
	}
	return origins, https > 0, errors.Join(problems...)
}

func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	a, err := netip.ParseAddr(host)
	return err == nil && a.IsLoopback()
}

// checkOrigin refuses a request that does not come from a page of ours, by
// Origin (RFC 6454) and Fetch Metadata. One of the two must be there, and both
// must be right: a request with neither is no browser's that we would know.
func (h *Handler) checkOrigin(r *http.Request) error {
	site, origin := r.Header.Values("Sec-Fetch-Site"), r.Header.Values("Origin")
	if len(site) > 1 || len(origin) > 1 {
		return problem(CodeCSRFFailed, "Origin and Sec-Fetch-Site may be sent once.").refuse(ReasonOriginRepeated)
	}
	if len(origin) == 0 {
		if len(site) == 0 {
			return problem(CodeCSRFFailed, "Send an Origin header.").refuse(ReasonOriginMissing)
		}
		if site[0] != "same-origin" {
			return problem(CodeCSRFFailed, "The request comes from another site.").refuse(ReasonSite, originFacts(r)...)
		}
		return nil
	}
	if !h.origins[origin[0]] {
		return problem(CodeCSRFFailed, "The origin is not one that is allowed here.").refuse(ReasonOriginUnlisted, originFacts(r)...)
	}
	if len(site) == 1 && !rightSite(site[0], sameHost(origin[0], r.Host)) {
		return problem(CodeCSRFFailed, "The request comes from another site.").refuse(ReasonSite, originFacts(r)...)
	}
	return nil
}

// rightSite reports whether Sec-Fetch-Site fits a listed origin. One on another
// host says cross-site or same-site, rightly; our own never does.
func rightSite(site string, own bool) bool {
	return site == "same-origin" || !own && (site == "same-site" || site == "cross-site")
}

func sameHost(origin, host string) bool {
	_, originHost, _ := strings.Cut(origin, "://")
	return strings.EqualFold(originHost, host)
}

// What CORS allows a listed origin (Fetch standard).
const (
	corsMethods = "GET, HEAD, POST, PATCH, DELETE"
	corsHeaders = "Authorization, Content-Type, Idempotency-Key, Remuda-Continuation, Remuda-Session, X-CSRF-Token"
	corsExposed = "Retry-After, WWW-Authenticate"
	corsMaxAge  = "600"
)

// cors lets the pages of listed origins read answers, with credentials, and
// nobody else's. It reports whether the request was a preflight and is answered.
func (h *Handler) cors(w http.ResponseWriter, r *http.Request) bool {
	w.Header().Add("Vary", "Origin")
	origin := r.Header.Get("Origin")
	if origin == "" || !h.origins[origin] {
		return false
	}
	header := w.Header()
	header.Set("Access-Control-Allow-Origin", origin)
	header.Set("Access-Control-Allow-Credentials", "true")
	header.Set("Access-Control-Expose-Headers", corsExposed)
	if r.Method != http.MethodOptions || r.Header.Get("Access-Control-Request-Method") == "" {
		return false
	}
	header.Set("Access-Control-Allow-Methods", corsMethods)
	header.Set("Access-Control-Allow-Headers", corsHeaders)
	header.Set("Access-Control-Max-Age", corsMaxAge)
	w.WriteHeader(http.StatusNoContent)
	return true
}
