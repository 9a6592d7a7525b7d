import FolderCore
import Synchronization

/// Takes the reports of watchers to the shell. A storm of changes must not fill the memory: reports beyond the limit
/// are dropped, and the next scans find what they were about.
final class WatcherNews: Sendable {
    private static let waitingMax = 10_000

    private let stream: AsyncStream<FolderEvent>
    private let queue: AsyncStream<FolderEvent>.Continuation
    /// What was dropped: a report about files, and the last report about links.
    private let dropped = Mutex<(files: Bool, link: FolderEvent?)>((false, nil))

    init() {
        (stream, queue) = AsyncStream.makeStream(
            of: FolderEvent.self, bufferingPolicy: .bufferingOldest(Self.waitingMax))
    }

    func add(_ event: FolderEvent) {
        guard case .dropped = queue.yield(event) else { return }
        dropped.withLock { dropped in
            if case .link = event { dropped.link = event } else { dropped.files = true }
        }
    }

    /// Delivers reports until the task is cancelled.
    func deliver(to shell: FolderShell) async {
        for await event in stream {
            await shell.handle(event)
            let (files, link) = dropped.withLock { dropped in
                defer { dropped = (false, nil) }
                return dropped
            }
            if let link { await shell.handle(link) }
            if files { await shell.rescanAll() }
        }
    }
}
