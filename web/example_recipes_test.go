package web_test

import (
	"context"
	"time"

	"github.com/remuda-go/remuda"
	"github.com/remuda-go/remuda/keyring"
	"github.com/remuda-go/remuda/store"
	"github.com/remuda-go/remuda/web"
)

// server serves a handler until it is told to stop.
type server func(*remuda.Manager, *web.Handler) error

// The functions here stand in docs/choosing.md as they are.

func webRecipe(ctx context.Context, sessions store.Store, keys *keyring.Ring, users web.Authenticator, serve server) error {
	manager, err := remuda.New(ctx, remuda.Config{
		Store: sessions, Keys: keys, Issuer: "https://app.example",
		Profiles: []remuda.Profile{remuda.Web()},
	})
	if err != nil {
		return err
	}
	defer manager.Close(ctx)
	handler, err := web.New(web.Config{Manager: manager, Keys: keys, Authenticator: users, Origins: []string{"https://app.example"}})
	if err != nil {
		return err
	}
	return serve(manager, handler)
}

func apiRecipe(ctx context.Context, sessions store.Store, keys *keyring.Ring, users web.Authenticator, serve server) error {
	manager, err := remuda.New(ctx, remuda.Config{
		Store: sessions, Keys: keys, Issuer: "https://app.example",
		Profiles: []remuda.Profile{remuda.API()},
	})
	if err != nil {
		return err
	}
	defer manager.Close(ctx)
	handler, err := web.New(web.Config{Manager: manager, Keys: keys, Authenticator: users, Origins: []string{"https://app.example"}})
	if err != nil {
		return err
	}
	return serve(manager, handler)
}

func classicRecipe(ctx context.Context, sessions store.Store, keys *keyring.Ring, users web.Authenticator, serve server) error {
	manager, err := remuda.New(ctx, remuda.Config{
		Store: sessions, Keys: keys, Issuer: "https://app.example",
		Profiles: []remuda.Profile{remuda.Classic()},
	})
	if err != nil {
		return err
	}
	defer manager.Close(ctx)
	handler, err := web.New(web.Config{Manager: manager, Keys: keys, Authenticator: users, Origins: []string{"https://app.example"}, WebProfiles: []string{"classic"}})
	if err != nil {
		return err
	}
	return serve(manager, handler)
}

func statelessRecipe(ctx context.Context, sessions store.Store, keys *keyring.Ring, users web.Authenticator, serve server) error {
	manager, err := remuda.New(ctx, remuda.Config{
		Store: sessions, Keys: keys, Issuer: "https://app.example", // the store keeps nothing of these sessions
		Profiles: []remuda.Profile{remuda.Stateless()},
	})
	if err != nil {
		return err
	}
	defer manager.Close(ctx)
	handler, err := web.New(web.Config{Manager: manager, Keys: keys, Authenticator: users, Origins: []string{"https://app.example"}, WebProfiles: []string{"stateless"}})
	if err != nil {
		return err
	}
	return serve(manager, handler)
}

func localRecipe(ctx context.Context, sessions store.Store, keys *keyring.Ring, users web.Authenticator, serve server) error {
	manager, err := remuda.New(ctx, remuda.Config{
		Store: sessions, Keys: keys, Issuer: "https://app.example", // of the store it needs the log alone
		Profiles: []remuda.Profile{remuda.Local()},
	})
	if err != nil {
		return err
	}
	defer manager.Close(ctx)
	handler, err := web.New(web.Config{Manager: manager, Keys: keys, Authenticator: users, Origins: []string{"https://app.example"}, WebProfiles: []string{"local"}})
	if err != nil {
		return err
	}
	return serve(manager, handler)
}

func strictRecipe(ctx context.Context, sessions store.Store, keys *keyring.Ring, users web.Authenticator, serve server) error {
	strict := remuda.Web()
	strict.Liveness = remuda.LiveStore // who is to know the newest access token has to ask
	strict.Access, strict.Jitter = 15*time.Minute, 0
	strict.Rotation = remuda.Rotation{Early: remuda.EarlyRefuse, OneAccessToken: true, Unseen: remuda.UnseenGrace}
	manager, err := remuda.New(ctx, remuda.Config{
		Store: sessions, Keys: keys, Issuer: "https://app.example", Profiles: []remuda.Profile{strict},
	})
	if err != nil {
		return err
	}
	defer manager.Close(ctx)
	handler, err := web.New(web.Config{Manager: manager, Keys: keys, Authenticator: users, Origins: []string{"https://app.example"}})
	if err != nil {
		return err
	}
	return serve(manager, handler)
}
