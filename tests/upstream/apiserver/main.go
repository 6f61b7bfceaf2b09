// Command apiserver runs a kube-apiserver, with the etcd that it keeps its objects in, on 127.0.0.1.
//
//	apiserver -dir FOLDER [-port 6443] [-etcd-port 2379]
//
// The folder is made if need be and holds etcd's data, certificates, the key that signs service accounts' tokens and
// the file of the users' tokens. Three users have one: admin-token (system:masters), student-token (group students) and
// kcm-token (system:kube-controller-manager). Nothing but the API server runs: no controllers, no scheduler, no nodes.
package main

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"flag"
	"fmt"
	"net/url"
	"os"
	"path/filepath"

	"go.etcd.io/etcd/server/v3/embed"
	kubeapiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
)

const (
	host   = "127.0.0.1"
	tokens = `admin-token,admin,,"system:masters"
student-token,student,student-uid,"students"
kcm-token,system:kube-controller-manager,,"system:masters"
`
)

func main() {
	dir := flag.String("dir", "", "folder of the server's data (needed)")
	port := flag.Int("port", 6443, "port of the API server")
	etcdPort := flag.Int("etcd-port", 2379, "port of etcd")
	flag.Parse()
	if *dir == "" || flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}
	if err := serve(*dir, *port, *etcdPort); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// serve runs until the API server ends.
func serve(dir string, port, etcdPort int) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	store, err := startEtcd(filepath.Join(dir, "etcd"), etcdPort)
	if err != nil {
		return err
	}
	defer store.Close()
	key := filepath.Join(dir, "service-accounts.key")
	if err := makeKey(key); err != nil {
		return err
	}
	users := filepath.Join(dir, "tokens.csv")
	if err := os.WriteFile(users, []byte(tokens), 0o600); err != nil {
		return err
	}
	command := kubeapiserver.NewAPIServerCommand()
	command.SetArgs([]string{
		fmt.Sprintf("--etcd-servers=http://%s:%d", host, etcdPort),
		"--bind-address=" + host,
		"--advertise-address=" + host,
		fmt.Sprintf("--secure-port=%d", port),
		"--cert-dir=" + filepath.Join(dir, "certificates"),
		"--service-cluster-ip-range=127.96.0.0/16",
		"--endpoint-reconciler-type=none",
		"--token-auth-file=" + users,
		"--authorization-mode=RBAC,Node",
		"--service-account-key-file=" + key,
		"--service-account-signing-key-file=" + key,
		"--service-account-issuer=https://kubernetes.default.svc",
		"--allow-privileged=true",
	})
	return command.Execute()
}

// startEtcd returns an etcd that is ready, of one member that talks to nobody.
func startEtcd(dir string, port int) (*embed.Etcd, error) {
	clients := url.URL{Scheme: "http", Host: fmt.Sprintf("%s:%d", host, port)}
	config := embed.NewConfig()
	config.Dir = dir
	config.ListenClientUrls = []url.URL{clients}
	config.AdvertiseClientUrls = []url.URL{clients}
	config.ListenPeerUrls = []url.URL{{Scheme: "http", Host: host + ":0"}}
	config.UnsafeNoFsync = true // the data may be lost with the machine
	config.LogLevel = "warn"
	store, err := embed.StartEtcd(config)
	if err != nil {
		return nil, err
	}
	select {
	case <-store.Server.ReadyNotify():
		return store, nil
	case err := <-store.Err():
		return nil, err
	}
}

// makeKey writes a new private key, unless there is one.
func makeKey(path string) error {
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return err
	}
	block := &pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}
	return os.WriteFile(path, pem.EncodeToMemory(block), 0o600)
}
