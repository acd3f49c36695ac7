package control

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// ErrNotRunning means that nobody answers on the control socket.
var ErrNotRunning = errors.New("no nats-broker answers")

// Client talks to the daemon behind a control socket.
type Client struct {
	// Path is the socket's.
	Path string
}

// Do sends a request and waits for its outcome or the end of ctx. The error
// wraps ErrNotRunning when there is nobody to ask, and os.ErrPermission when we
// may not. A refusal by the daemon is not an error: it is in the Response.
func (c Client) Do(ctx context.Context, req Request) (Response, error) {
	conn, err := c.dial(ctx)
	if err != nil {
		return Response{}, err
	}
	defer conn.Close()
	return exchange(ctx, conn, req)
}

// DoAndWait is Do for verbs that end the daemon: when the response is OK it
// also waits until the process is gone.
func (c Client) DoAndWait(ctx context.Context, req Request) (Response, error) {
	conn, err := c.dial(ctx)
	if err != nil {
		return Response{}, err
	}
	defer conn.Close()
	daemon, err := peerOf(conn)
	if err != nil {
		return Response{}, err
	}
	pidfd, pidErr := unix.PidfdOpen(daemon.PID, 0)
	if pidErr == nil {
		defer unix.Close(pidfd)
	}
	resp, err := exchange(ctx, conn, req)
	if err != nil || !resp.OK {
		return resp, err
	}
	if pidErr != nil { // no pidfd: the socket's end must do
		conn.Read(make([]byte, 1))
		return resp, nil
	}
	return resp, awaitExit(ctx, pidfd, daemon.PID)
}

// Follow sends a request and has f called with each line that follows its response, until the daemon says no more, f
// returns an error, or ctx ends: then the error is ctx's. The line is f's to read during the call.
func (c Client) Follow(ctx context.Context, req Request, begins func(Response), f func(line []byte) error) error {
	conn, err := c.dial(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	in := bufio.NewReader(conn)
	defer context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })()
	resp, err := talk(ctx, conn, in, req)
	if err != nil {
		return err
	}
	begins(resp)
	for resp.OK {
		line, err := in.ReadBytes('\n')
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, io.EOF) && len(line) == 0:
			return nil
		case err != nil:
			return fmt.Errorf("the daemon hung up in the middle of a line: %w", err)
		}
		if err := f(line); err != nil {
			return err
		}
	}
	return nil
}

func (c Client) dial(ctx context.Context) (*net.UnixConn, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "unix", c.Path)
	switch {
	case errors.Is(err, os.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		return nil, fmt.Errorf("%w on %s", ErrNotRunning, c.Path)
	case errors.Is(err, os.ErrPermission):
		return nil, fmt.Errorf("%s: %w: run as root, as the broker's user or as a member of its group", c.Path, os.ErrPermission)
	case err != nil:
		return nil, err
	}
	return conn.(*net.UnixConn), nil
}

// exchange holds the conversation on conn.
func exchange(ctx context.Context, conn *net.UnixConn, req Request) (Response, error) {
	defer context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })()
	return talk(ctx, conn, bufio.NewReader(conn), req)
}

// talk says the request and reads the response.
func talk(ctx context.Context, conn *net.UnixConn, in *bufio.Reader, req Request) (Response, error) {
	line, err := json.Marshal(req)
	if err != nil {
		return Response{}, err
	}
	if _, err := conn.Write(append(line, '\n')); err != nil {
		return Response{}, ended(ctx, err)
	}
	var resp Response
	if err := readLine(in, &resp); err != nil {
		return Response{}, ended(ctx, fmt.Errorf("the daemon hung up without an answer: %w", err))
	}
	return resp, nil
}

func ended(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("no answer in time: %w", ctx.Err())
	}
	return err
}

// awaitExit waits for the process behind pidfd to end.
func awaitExit(ctx context.Context, pidfd, pid int) error {
	for {
		fds := []unix.PollFd{{Fd: int32(pidfd), Events: unix.POLLIN}}
		n, err := unix.Poll(fds, 100)
		switch {
		case err != nil && err != unix.EINTR:
			return fmt.Errorf("waiting for process %d: %w", pid, err)
		case n > 0:
			return nil
		case ctx.Err() != nil:
			return fmt.Errorf("process %d has not ended in time: %w", pid, ctx.Err())
		}
	}
}
