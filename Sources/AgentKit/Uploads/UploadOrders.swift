import Synchronization
package import TransferCommon
package import TransferCore

/// A file that a program wants to have sent during a run, or an object that it asks a gateway about.
package enum UploadOrder: Sendable {
    case send(SendingOrder)
    case ask(AskingOrder)

    /// The key without the device's prefix. It names the order in the events of the run, so that no two orders under
    /// way may have the same key.
    package var key: String {
        switch self {
        case .send(let order): order.key
        case .ask(let order): order.key
        }
    }
}

/// An order to send a file that no process is writing.
package struct SendingOrder: Sendable {
    package var key: String
    /// Where the file is, for the journal and for messages.
    package var location: FileLocation
    package var policy: ExistingKeyPolicy
    /// The session whose object the file continues; `nil` to replace no object as a continuation.
    package var continues: SessionID?
    package var metadata: SessionMetadata
    package var wantsReceipt: Bool
    package var partBytesWish: UInt64?
    /// Opens the file. Called on a pool thread.
    package var open: @Sendable () throws(UploadFailure) -> SourceFile

    package init(
        key: String, location: FileLocation, policy: ExistingKeyPolicy, continues: SessionID? = nil,
        metadata: SessionMetadata = .none, wantsReceipt: Bool = false, partBytesWish: UInt64? = nil,
        open: @escaping @Sendable () throws(UploadFailure) -> SourceFile
    ) {
        self.key = key
        self.location = location
        self.policy = policy
        self.continues = continues
        self.metadata = metadata
        self.wantsReceipt = wantsReceipt
        self.partBytesWish = partBytesWish
        self.open = open
    }
}

/// An order to ask a gateway whether the store still holds what was sent.
package struct AskingOrder: Sendable {
    package var key: String
    /// The path of the file, for messages.
    package var path: String
    package var stamp: FileStamp
    package var partBytes: UInt64
    /// The root digest of the file with `partBytes`.
    package var root: SHA256Digest
    /// Opens the file, whose content is read only if the store keeps other evidence than digests. Called on a pool
    /// thread.
    package var open: @Sendable () throws(UploadFailure) -> SourceFile

    package init(
        key: String, path: String, stamp: FileStamp, partBytes: UInt64, root: SHA256Digest,
        open: @escaping @Sendable () throws(UploadFailure) -> SourceFile
    ) {
        self.key = key
        self.path = path
        self.stamp = stamp
        self.partBytes = partBytes
        self.root = root
        self.open = open
    }
}

/// The orders of a run that lasts until the program ends it. Any thread may add orders; the run takes them in order.
package final class UploadOrders: Sendable {
    private struct State {
        var orders: [UploadOrder] = []
        var isFinished = false
        var reader: CheckedContinuation<Void, Never>?
    }

    private let state = Mutex(State())

    package init() {}

    /// Adds an order behind those that the run has not taken yet.
    package func add(_ order: UploadOrder) {
        wake { $0.orders.append(order) }
    }

    /// No further orders come: the run ends when it has performed those that it has.
    package func finish() {
        wake { $0.isFinished = true }
    }

    /// Ends a wait in `next`, because the run may have ended.
    func wake() { wake { _ in } }

    private func wake(_ change: (inout State) -> Void) {
        let reader = state.withLock { state in
            change(&state)
            return state.reader.take()
        }
        reader?.resume()
    }

    /// Waits for orders. Only one task may call this.
    ///
    /// - Returns: up to `count` orders; none once all orders are taken and `finish` was called, or `isStopped` holds.
    func next(atMost count: Int, isStopped: @Sendable () -> Bool) async -> [UploadOrder] {
        while !isStopped() {
            let (batch, isFinished) = state.withLock { state in
                let batch = Array(state.orders.prefix(count))
                state.orders.removeFirst(batch.count)
                return (batch, state.isFinished)
            }
            guard batch.isEmpty, !isFinished else { return batch }
            await withCheckedContinuation { continuation in
                let isReady = state.withLock { state in
                    let isReady = !state.orders.isEmpty || state.isFinished || isStopped()
                    if !isReady { state.reader = continuation }
                    return isReady
                }
                if isReady { continuation.resume() }
            }
        }
        return []
    }
}
