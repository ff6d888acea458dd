package codectest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"strings"
)

// Confused returns tokens signed by HMAC with a public key as the secret, in each
// encoding that somebody may hold it in: with the token's own header, and with one
// that says HS256. The key is an *ecdsa.PublicKey or an ed25519.PublicKey.
func Confused(token string, public crypto.PublicKey) map[string]string {
	h, p, _ := split(token)
	header := decoded(h)
	alg := header[len(`{"alg":"`):strings.Index(header, `","kid"`)]
	hmacHeader := encoded(strings.Replace(header, alg, "HS256", 1))
	all := map[string]string{}
	for name, secret := range encodings(public) {
		for of, header := range map[string]string{alg: h, "HS256": hmacHeader} {
			mac := hmac.New(sha256.New, secret)
			mac.Write([]byte(header + "." + p))
			all[name+" as the secret, header of "+of] = header + "." + p + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
		}
	}
	return all
}

func encodings(public crypto.PublicKey) map[string][]byte {
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		panic("codectest: " + err.Error())
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	all := map[string][]byte{
		"DER": der, "PEM": text, "PEM without the last line feed": text[:len(text)-1],
		"PEM with CR LF": []byte(strings.ReplaceAll(string(text), "\n", "\r\n")), "base64 of DER": []byte(base64.StdEncoding.EncodeToString(der)),
		"nothing": nil, "zeros": make([]byte, 32),
	}
	switch k := public.(type) {
	case ed25519.PublicKey:
		all["raw"] = k
		all["base64url"] = []byte(base64.RawURLEncoding.EncodeToString(k))
		all["JWK"] = []byte(`{"crv":"Ed25519","kty":"OKP","x":"` + base64.RawURLEncoding.EncodeToString(k) + `"}`)
	case *ecdsa.PublicKey:
		point, err := k.Bytes()
		if err != nil {
			panic("codectest: " + err.Error())
		}
		x, y := point[1:33], point[33:]
		all["point"], all["x and y"], all["x"] = point, point[1:], x
		all["compressed point"] = append([]byte{2 + y[31]&1}, x...)
		all["JWK"] = []byte(`{"crv":"P-256","kty":"EC","x":"` + base64.RawURLEncoding.EncodeToString(x) + `","y":"` + base64.RawURLEncoding.EncodeToString(y) + `"}`)
	}
	return all
}
