import FolderCore
import Synchronization

/// Takes the reports of watchers to the shell. A storm of changes must not fill the memory: reports beyond the limit
/// are dropped, and the next scans find what they were about.
final class WatcherNews: Sendable {
    private static let waitingMax = 10_000

    private let stream: AsyncStream<FolderEvent>
    private let queue: AsyncStream<FolderEvent>.Continuation
    private let hasDropped = Mutex(false)

    init() {
        (stream, queue) = AsyncStream.makeStream(
            of: FolderEvent.self, bufferingPolicy: .bufferingOldest(Self.waitingMax))
    }

    func add(_ event: FolderEvent) {
        if case .dropped = queue.yield(event) { hasDropped.withLock { $0 = true } }
    }

    /// Delivers reports until the task is cancelled.
    func deliver(to shell: FolderShell) async {
        for await event in stream {
            await shell.handle(event)
            let hasDropped = hasDropped.withLock { hasDropped in
                defer { hasDropped = false }
                return hasDropped
            }
            if hasDropped { await shell.rescanAll() }
        }
    }
}
