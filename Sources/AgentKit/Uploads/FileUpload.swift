import Logging
import Synchronization
import TransferCommon
import TransferCore

/// One file on its way through a gateway into the store: started, watched, paused, gone on with, or cancelled.
///
/// What is stored stays stored: an upload that was paused, interrupted or lost with its process goes on where it was
/// when a `FileUpload` of the same file, key and home is started again.
///
/// ```swift
/// let upload = FileUpload(file: "/data/recording.mp4", key: "today/recording.mp4", home: "/var/lib/sluice")
/// upload.start()
/// for await event in upload.events {
///     if case .file(let progress) = event { print(progress.storedBytes, "of", progress.size) }
/// }
/// let receipt = try await upload.result()
/// ```
///
/// A home serves one upload at a time; a second one fails with ``Failure/Kind/busy`` while the first is at work.
public final class FileUpload: Sendable {
    private struct State {
        var control: UploadControl?
        var run: Task<Void, Never>?
        var result: Result<Receipt, Failure>?
        var waiters: [CheckedContinuation<Result<Receipt, Failure>, Never>] = []
    }

    /// What happens, in order: per part and per file. Ends when the file is stored, has failed or was cancelled; a
    /// pause does not end it. For one reader; who reads slowly misses the oldest of more than a thousand.
    public let events: AsyncStream<Event>

    private let path: String
    private let key: String
    private let home: AgentHome
    private let options: Options
    private let continuation: AsyncStream<Event>.Continuation
    private let state = Mutex(State())

    /// - Parameters:
    ///   - file: its path.
    ///   - key: the object's key, below the device's prefix.
    ///   - home: a directory that `sluice-agent init` has made.
    public init(file: String, key: String, home: String, options: Options = Options()) {
        self.path = file
        self.key = key
        self.home = AgentHome(path: home)
        self.options = options
        (events, continuation) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1_024))
    }

    /// Begins, or goes on after a pause. Does nothing while it runs, and after its end.
    public func start() {
        state.withLock { state in
            guard state.run == nil, state.result == nil else { return }
            let control = UploadControl()
            state.control = control
            state.run = Task { await self.run(control) }
        }
    }

    /// The same as ``start()``, after ``pause()``.
    public func resume() { start() }

    /// Stops, and keeps all that is stored. Parts that are nearly sent are finished first, which takes a few seconds at
    /// most. Returns when nothing more is sent. For some seconds the gateway also keeps what it has received of other
    /// parts, for ``resume()``.
    public func pause() async {
        let (control, run) = state.withLock { ($0.control, $0.run) }
        await control?.stop()
        await run?.value
    }

    private func pauseAtOnce() async {
        let (control, run) = state.withLock { ($0.control, $0.run) }
        await control?.stopAtOnce()
        await run?.value
    }

    /// Drops the upload: what is stored of it is removed from the store, and forgotten here. An object that is complete
    /// stays.
    ///
    /// - Throws: ``Failure`` where the gateway cannot be reached; then the next run in this home drops it.
    public func cancel() async throws {
        await pauseAtOnce()
        guard state.withLock({ $0.result == nil }) else { return }
        do {
            let unfinished = try AgentJournal.unfinished(in: home, logger: Self.logger).filter {
                $0.key.hasSameBytes(as: key)
            }
            let dropped = Uploader.Work.unfinished(resume: [], path: nil, drop: unfinished.map(\.id))
            if !unfinished.isEmpty {
                let summary = try await uploader().run(dropped) { _ in }
                if let failure = summary.failures.first(where: { $0.key.hasSameBytes(as: key) }) {
                    throw Failure(failure.failure)
                }
            }
            finish(.failure(Failure(kind: .cancelled, message: "cancelled")))
        } catch {
            throw Failure(error)
        }
    }

    /// Waits for the end.
    ///
    /// - Returns: the proof of what is stored.
    /// - Throws: ``Failure``.
    public func result() async throws -> Receipt {
        let result = await withCheckedContinuation { continuation in
            let known = state.withLock { state in
                if state.result == nil { state.waiters.append(continuation) }
                return state.result
            }
            if let known { continuation.resume(returning: known) }
        }
        return try result.get()
    }

    // MARK: Running

    private static let logger = Logger.silent

    private func uploader() throws -> Uploader {
        let (host, port) = try options.gateway.map { ($0.host, $0.port) } ?? home.gateway()
        var configuration = Uploader.Configuration(host: host, port: port, software: "AgentKit")
        configuration.partBytesWish = options.partBytes
        configuration.limits.concurrency = max(options.concurrency, 1)
        configuration.limits.connections = max(options.connections, 1)
        configuration.interfaces = options.interfaces
        configuration.limits.retryFor = options.retryFor
        if let rate = options.bytesPerSecond { configuration.limits.bytesPerSecond = max(rate, 1) }
        configuration.compression = options.compression.choice
        configuration.policy = options.ifExists.policy
        configuration.metadata = try options.sessionMetadata()
        configuration.wantsReceipts = options.wantsReceipt
        return Uploader(home: home, configuration: configuration, logger: Self.logger)
    }

    private func run(_ control: UploadControl) async {
        let work = Uploader.Work.push(paths: [path], key: key, prefix: "", filter: FileFilter())
        var isPaused = false
        do {
            let summary = try await uploader().run(work, control: control) { self.observe($0) }
            // Dropped by another command, or never handed in: then only the summary tells.
            let own = summary.failures.last { $0.key.hasSameBytes(as: key) } ?? summary.failures.first
            if state.withLock({ $0.result == nil }) {
                if let own, own.failure.kind != .stopped {
                    finish(.failure(Failure(own.failure)))
                } else {
                    isPaused = true
                }
            }
        } catch {
            finish(.failure(Failure(error)))
        }
        state.withLock { state in
            state.run = nil
            state.control = nil
        }
        // Told last: whoever hears of it may go on at once.
        if isPaused { continuation.yield(.paused) }
    }

    private func observe(_ event: UploadEvent) {
        switch event {
        case .part(let key, let number, let sent, let size, let isStored) where key.hasSameBytes(as: self.key):
            continuation.yield(
                .part(Part(number: Int(number.value), size: size, sentBytes: sent, isStored: isStored)))
        case .file(let key, let figures) where key.hasSameBytes(as: self.key):
            continuation.yield(.file(Progress(figures)))
        case .note(let key, let text) where key.hasSameBytes(as: self.key):
            continuation.yield(.note(text))
        case .finished(_, let key, .stored(let receipt, let wasThere), _) where key.hasSameBytes(as: self.key):
            finish(.success(Receipt(receipt, wasThere: wasThere)))
        case .finished(_, let key, .failed(let failure), _) where key.hasSameBytes(as: self.key):
            if failure.kind != .stopped { finish(.failure(Failure(failure))) }
        case .part, .file, .note, .finished, .checked:
            break  // Of an upload that was dropped before, or cancelled by another process.
        }
    }

    private func finish(_ result: Result<Receipt, Failure>) {
        let waiters = state.withLock { state in
            guard state.result == nil else { return [] as [CheckedContinuation<Result<Receipt, Failure>, Never>] }
            state.result = result
            defer { state.waiters = [] }
            return state.waiters
        }
        for waiter in waiters { waiter.resume(returning: result) }
        continuation.finish()
    }
}
