package browser

import (
	"archive/tar"
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"

	"github.com/andybalholm/brotli"
)

// programs are the names under which a Chromium is installed.
var programs = []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable"}

// A locale has to be set: in C.UTF-8, the browser's language is en-US@posix, which JavaScript's own Intl refuses.
var locale = []string{"LANG=en_US.UTF-8", "LC_ALL=en_US.UTF-8", "LANGUAGE=en_US"}

// find returns the browser's program and environment: one that is installed, or else that of npm, unpacked once.
func find() (program string, env []string, err error) {
	for _, name := range programs {
		if program, err := exec.LookPath(name); err == nil {
			return program, locale, nil
		}
	}
	dir, err := unpacked()
	return filepath.Join(dir, "chromium"), append(locale, "LD_LIBRARY_PATH="+filepath.Join(dir, "lib"), "FONTCONFIG_PATH="+filepath.Join(dir, "fonts")), err
}

// modules is the directory of npm's packages, seen from e2e, where the tests run.
const modules = "browser/node_modules"

// unpacked is the browser of npm's package @sparticuz/chromium: the program with its libraries and fonts.
var unpacked = sync.OnceValues(func() (dir string, err error) {
	dir, err = filepath.Abs(filepath.Join(modules, ".chromium"))
	if err != nil {
		return "", err
	}
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	from := filepath.Join(modules, "@sparticuz", "chromium", "bin")
	if _, err := os.Stat(from); err != nil {
		return "", fmt.Errorf("there is no browser (%s), and no package with one: %w: run `make e2e/browser/node_modules`, or install Chromium", strings.Join(programs, ", "), err)
	}
	part := dir + ".part"
	if err := os.RemoveAll(part); err != nil {
		return "", err
	}
	for archive, into := range map[string]string{"al2023.tar.br": "", "fonts.tar.br": "fonts", "swiftshader.tar.br": ""} {
		if err := unpackTar(filepath.Join(from, archive), filepath.Join(part, into)); err != nil {
			return "", fmt.Errorf("unpack the browser's %s: %w", archive, err)
		}
	}
	if err := unpackFile(filepath.Join(from, "chromium.br"), filepath.Join(part, "chromium")); err != nil {
		return "", fmt.Errorf("unpack the browser: %w", err)
	}
	// The package's own names folders of Lambda. Without a font, no page gets a layout.
	var escaped bytes.Buffer
	if err := xml.EscapeText(&escaped, []byte(dir)); err != nil {
		return "", err
	}
	conf := fmt.Sprintf("<fontconfig><dir>%[1]s/fonts</dir><cachedir>%[1]s/fonts/cache</cachedir></fontconfig>\n", escaped.String())
	if err := os.WriteFile(filepath.Join(part, "fonts", "fonts.conf"), []byte(conf), 0o600); err != nil {
		return "", err
	}
	return dir, os.Rename(part, dir)
})

func unpackFile(from, to string) error {
	packed, err := os.Open(from)
	if err != nil {
		return err
	}
	defer packed.Close()
	file, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o755)
	if err != nil {
		return err
	}
	_, err = io.Copy(file, brotli.NewReader(packed))
	return errors.Join(err, file.Close())
}

// unpackTar unpacks the files of an archive. Its names stay within the directory.
func unpackTar(from, dir string) error {
	packed, err := os.Open(from)
	if err != nil {
		return err
	}
	defer packed.Close()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	for archive := tar.NewReader(brotli.NewReader(packed)); ; {
		entry, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		switch name := filepath.Clean(entry.Name); entry.Typeflag {
		case tar.TypeReg:
			if err := root.MkdirAll(filepath.Dir(name), 0o755); err != nil {
				return err
			}
			file, err := root.OpenFile(name, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o755)
			if err != nil {
				return err
			}
			if _, err := io.Copy(file, archive); err != nil {
				return errors.Join(err, file.Close())
			}
			if err := file.Close(); err != nil {
				return err
			}
		case tar.TypeSymlink:
			if err := root.MkdirAll(filepath.Dir(name), 0o755); err != nil {
				return err
			}
			if err := root.Symlink(entry.Linkname, name); err != nil {
				return err
			}
		}
	}
}
