import Logging
import Synchronization
import TransferCommon
import TransferCore

/// Uploads one file through a gateway. The upload can be started, watched, paused, resumed and cancelled.
///
/// Stored parts survive a pause, an interruption and the end of the process. A new `FileUpload` with the same file, key
/// and home continues where the earlier one stopped.
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
/// A home serves one upload at a time. A second upload fails with ``Failure/Kind/busy`` while the first one runs.
public final class FileUpload: Sendable {
    private struct State {
        var control: UploadControl?
        var run: Task<Void, Never>?
        var result: Result<Receipt, Failure>?
        var waiters: [CheckedContinuation<Result<Receipt, Failure>, Never>] = []
    }

    /// Events of single parts and of the whole file, in order. The stream ends when the file is stored, or when the
    /// upload has failed or was cancelled. A pause does not end the stream. Only one task may read the stream. If the
    /// reader is slow, the stream keeps the newest 1,024 events and drops older ones.
    public let events: AsyncStream<Event>

    private let path: String
    private let key: String
    private let home: AgentHome
    private let options: Options
    private let continuation: AsyncStream<Event>.Continuation
    private let state = Mutex(State())

    /// - Parameters:
    ///   - file: path of the file.
    ///   - key: key of the object, relative to the device's prefix.
    ///   - home: directory made by `sluice-agent init`.
    public init(file: String, key: String, home: String, options: Options = Options()) {
        self.path = file
        self.key = key
        self.home = AgentHome(path: home)
        self.options = options
        (events, continuation) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1_024))
    }

    /// Starts the upload, or resumes it after a pause. Does nothing while the upload runs and after it has ended.
    public func start() {
        state.withLock { state in
            guard state.run == nil, state.result == nil else { return }
            let control = UploadControl()
            state.control = control
            state.run = Task { await self.run(control) }
        }
    }

    /// Resumes the upload after ``pause()``. Same as ``start()``.
    public func resume() { start() }

    /// Pauses the upload and keeps all stored parts. First completes parts that are nearly sent, which takes a few
    /// seconds at most. Returns when the upload sends no more data. The gateway keeps the received bytes of incomplete
    /// parts for some seconds, so that ``resume()`` need not send them again.
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

    /// Cancels the upload: removes its stored parts from the store and its entry from the journal. A complete object
    /// stays in the store.
    ///
    /// - Throws: ``Failure`` if the gateway cannot be reached. The next run in this home then removes the upload.
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

    /// Waits until the upload ends.
    ///
    /// - Returns: the proof of the stored object.
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
        configuration.readsUnchanged = options.readsUnchanged
        return Uploader(home: home, configuration: configuration, logger: Self.logger)
    }

    private func run(_ control: UploadControl) async {
        let work = Uploader.Work.push(paths: [path], key: key, prefix: "", filter: FileFilter())
        var isPaused = false
        do {
            let summary = try await uploader().run(work, control: control) { self.observe($0) }
            // If another command dropped the upload, or if the upload was never submitted, no event reports the
            // failure. Then only the summary contains it.
            let own = summary.failures.last { $0.key.hasSameBytes(as: key) } ?? summary.failures.first
            if state.withLock({ $0.result == nil }) {
                if let failure = own?.failure ?? summary.ending, failure.kind != .stopped {
                    finish(.failure(Failure(failure)))
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
        // Send this event last, because its receiver may call `resume` immediately.
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
        case .part, .file, .note, .finished, .awaitingGateway, .ended, .checked, .site:
            break  // Events of other uploads, which this run drops or another process has cancelled.
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
