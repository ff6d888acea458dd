module github.com/remuda-go/remuda/bench

go 1.26.0

require (
	github.com/golang-jwt/jwt/v5 v5.3.1
	github.com/remuda-go/remuda v0.0.0
)

replace github.com/remuda-go/remuda => ../
