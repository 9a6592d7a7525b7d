import Synchronization
import TransferCore

/// The events of a run that its observer has not seen yet, in order.
///
/// The shell adds events and never waits. If the observer is slow, the queue keeps only the newest progress of each
/// upload, and the feeder waits before it submits more files. So the queue stays small, and no outcome is lost.
package final class EventBuffer: Sendable {
    private struct State {
        var queue = EventQueue()
        var reader: CheckedContinuation<Void, Never>?
        var feeders: [CheckedContinuation<Void, Never>] = []
    }

    private let state = Mutex(State())

    package init() {}

    /// Adds events without waiting.
    package func add(_ events: [ShellEvent]) {
        let reader = state.withLock { state in
            for event in events { state.queue.add(event) }
            return state.reader.take()
        }
        reader?.resume()
    }

    /// Waits for events. Only one task may call this.
    package func next() async -> [ShellEvent] {
        while true {
            let (events, feeders) = state.withLock { state in
                defer { state.feeders = [] }
                return (state.queue.takeAll(), state.feeders)
            }
            for feeder in feeders { feeder.resume() }
            guard events.isEmpty else { return events }
            await withCheckedContinuation { continuation in
                let isReady = state.withLock { state in
                    if state.queue.isEmpty { state.reader = continuation }
                    return !state.queue.isEmpty
                }
                if isReady { continuation.resume() }
            }
        }
    }

    /// Waits while the observer is behind by too many events, so that the caller adds no outcomes of further files.
    package func waitUntilRead() async {
        await withCheckedContinuation { continuation in
            let isReady = state.withLock { state in
                if state.queue.isFull { state.feeders.append(continuation) }
                return !state.queue.isFull
            }
            if isReady { continuation.resume() }
        }
    }
}

/// A queue of events. When the queue is long, it merges repeated events of an upload.
package struct EventQueue {
    /// Above this number of events the queue merges repeated events, and feeders should wait.
    package static let usualCount = 1_024

    /// Kinds of events of which only the newest of an upload counts.
    private enum Kind: Hashable {
        case progress, waiting
    }

    private struct Key: Hashable {
        var upload: UploadID
        var kind: Kind
    }

    private var events: [ShellEvent] = []
    private var places: [Key: Int] = [:]

    package init() {}

    /// Whether the observer has all events.
    package var isEmpty: Bool { events.isEmpty }
    /// Whether the queue is longer than usual.
    package var isFull: Bool { events.count > Self.usualCount }

    /// Adds an event. In a full queue it replaces an older event of the same upload and kind.
    package mutating func add(_ event: ShellEvent) {
        guard let key = Self.key(of: event) else { return events.append(event) }
        if isFull, let place = places[key] {
            events[place] = event
        } else {
            places[key] = events.count
            events.append(event)
        }
    }

    /// Takes all events in order. A newer event that replaced an older one stands at the older one's position.
    package mutating func takeAll() -> [ShellEvent] {
        defer { (events, places) = ([], [:]) }
        return events
    }

    private static func key(of event: ShellEvent) -> Key? {
        guard case .report(let id, let report, _) = event else { return nil }
        switch report {
        case .partProgress: return Key(upload: id, kind: .progress)
        case .waiting: return Key(upload: id, kind: .waiting)
        default: return nil
        }
    }
}
