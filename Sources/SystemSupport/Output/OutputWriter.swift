import TransferCommon

#if canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// Writes text to one output of the program on a thread of its own. So an output that is closed, full or not read never
/// blocks an event loop or a task, and never ends the process.
///
/// `line` and `json` make control characters visible. Only `raw` writes them as they are.
package final class OutputWriter: Sendable {
    private struct State {
        var queue: OutputQueue
        /// How long `drain` waits for a reader that reads nothing. If `nil`, `drain` and `raw` wait without limit.
        var patience: Duration?
        var hasThread = false
    }

    private let descriptor: Int32
    private let state: LockedValue<State>

    /// Maximum number of bytes that wait to be written. A caller with further text has to wait, or its text is lost.
    package static let usualBytesMax = 16 << 20
    private static let behindBytes = 1 << 20
    /// Largest number of bytes of one write. A write counts as progress only when it ends, so each is as short as a
    /// page of a pipe.
    private static let writeBytesMax = 4 << 10

    /// - Parameters:
    ///   - descriptor: the file descriptor, which stays open.
    ///   - patience: how long a caller waits for a reader that reads nothing; `nil` for no limit.
    package init(descriptor: Int32, patience: Duration? = nil, bytesMax: Int = OutputWriter.usualBytesMax) {
        self.descriptor = descriptor
        self.state = LockedValue(State(queue: OutputQueue(bytesMax: bytesMax), patience: patience))
    }

    /// Programs that do other work than printing call this. From now on, callers never wait for the reader, and `drain`
    /// gives up if the reader reads nothing for this long.
    package func limitPatience(to patience: Duration) {
        state.change { $0.patience = patience }
    }

    // MARK: Text

    /// Writes a line. Control characters in it, also line feeds, are made visible.
    package func line(_ text: String) { raw(text.withVisibleControls + "\n") }

    /// Writes a text of several lines, each as `line` does. A line feed at its end begins no further line.
    package func lines(_ text: String) {
        var lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        if lines.last == "" { lines.removeLast() }
        for line in lines { self.line(String(line)) }
    }

    /// Writes a line of JSON. Control characters in it are escaped as JSON demands.
    package func json(_ text: String) { raw(text.withEscapedControls + "\n") }

    /// Writes a line of JSON or of other text.
    package func line(_ text: String, isJSON: Bool) {
        if isJSON { json(text) } else { line(text) }
    }

    /// Writes text as it is. The caller has already made control characters in foreign text visible.
    package func raw(_ text: String) {
        let bytes = Array(text.utf8)
        start()
        _ = state.wait { state -> Void? in
            switch state.queue.add(bytes) {
            case .queued, .lost: return ()
            case .full where state.patience == nil: return nil
            case .full:
                state.queue.giveUp(.stalled)
                return ()
            }
        }
    }

    /// Writes a line of the log, or counts it if the output is blocked. Never waits.
    package func log(_ text: String) {
        let bytes = Array((text.withVisibleControls + "\n").utf8)
        start()
        state.change { $0.queue.addOrOmit(bytes) }
    }

    // MARK: State

    /// Number of bytes that the system has not accepted yet.
    package var pendingBytes: Int { state.read { $0.queue.pendingBytes } }

    /// Whether the reader is so slow that the program should produce less text.
    package var isBehind: Bool { pendingBytes > Self.behindBytes }

    /// Why text was lost; `nil` if none was lost.
    package var loss: OutputQueue.Loss? { state.read { $0.queue.loss } }

    /// Waits until all text is written. Gives up if the reader reads nothing for too long.
    ///
    /// - Parameter limit: longest time without progress; `nil` for the patience of this writer.
    /// - Returns: whether no text waits any more.
    @discardableResult
    package func drain(stalledAtMost limit: Duration? = nil) -> Bool {
        let limit = limit ?? state.read { $0.patience }
        while true {
            let before = state.read { $0.queue.writtenBytes }
            let isDone: Bool? = state.wait(atMost: limit) { state in
                if state.queue.pendingBytes == 0 { return true }
                return state.queue.writtenBytes == before ? nil : false
            }
            guard let isDone else { return false }
            if isDone { return true }
        }
    }

    /// Like `drain`, but text that then still waits counts as lost.
    package func finish() {
        if !drain() { state.change { $0.queue.giveUp(.stalled) } }
    }

    // MARK: The thread

    private func start() {
        let isFirst = state.change { state in
            defer { state.hasThread = true }
            return !state.hasThread
        }
        guard isFirst else { return }
        let result = DetachedThread.start { self.writeAll() }
        if result != 0 { state.change { $0.queue.failed(result, isLasting: true) } }
    }

    private func writeAll() {
        while let batch = state.wait(until: { $0.queue.take() }) { write(batch) }
    }

    private func write(_ batch: [UInt8]) {
        var rest = batch[...]
        while !rest.isEmpty {
            let count = rest.prefix(Self.writeBytesMax).withUnsafeBytes { bytes in
                #if canImport(Musl)
                    Musl.write(descriptor, bytes.baseAddress, bytes.count)
                #else
                    Glibc.write(descriptor, bytes.baseAddress, bytes.count)
                #endif
            }
            if count > 0 {
                let written = rest.prefix(count)
                rest = rest.dropFirst(count)
                state.change { $0.queue.wrote(count, endsLine: written.last == UInt8(ascii: "\n")) }
                continue
            }
            switch count < 0 ? errno : EAGAIN {
            case EINTR: continue
            case EAGAIN:
                // Another process has made the descriptor non-blocking, as some shells do with a terminal. So wait.
                var place = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                poll(&place, 1, -1)
            case let number:
                state.change { $0.queue.failed(number, isLasting: Self.isLasting(number)) }
                return
            }
        }
    }

    /// Whether every later write fails as well. A full disk, for example, may have space again later.
    private static func isLasting(_ number: Int32) -> Bool {
        switch number {
        case ENOSPC, EDQUOT, EIO, EFBIG, ENOBUFS, ENOMEM: false
        default: true
        }
    }
}
