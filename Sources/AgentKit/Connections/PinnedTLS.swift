import Cryptography
import Logging
import NIOCore
import NIOPosix
import SecureChannel
import TransferCommon

/// Stores the pinned keys of a gateway in a home, and makes the TLS context that trusts them.
struct PinKeeper: Sendable {
    let home: AgentHome
    let identity: Identity
    let limits: TLSLimits

    /// Writes the keys durably. Blocks.
    ///
    /// - Returns: the TLS context for new connections.
    func keep(_ pins: [Fingerprint]) throws -> TLSContext {
        try home.keep(pins)
        return try TLSContext.agent(identity: identity, gateway: .pinnedKeys(Set(pins)), limits: limits)
    }
}

/// The TLS context of new connections. Newly pinned keys replace it as soon as they are durable.
struct PinnedTLS: Sendable {
    /// The TLS context of new connections; `nil` for plain TCP.
    private(set) var context: TLSContext?
    /// `nil` if no key is pinned: a certificate authority identifies the gateway, or connections are plain TCP.
    private let keeper: PinKeeper?
    /// Completes when the current write of pins has succeeded or failed; `nil` if none runs.
    private(set) var writing: EventLoopFuture<Void>?
    private var hasFailed = false

    init(_ context: TLSContext?, keeper: PinKeeper?) {
        self.context = context
        self.keeper = keeper
    }

    /// Begins to write pins, on a thread that may block.
    ///
    /// - Returns: the result, which the caller passes to `ended`; `nil` if this run keeps no pins.
    mutating func keep(
        _ pins: [SHA256Digest], on threads: NIOThreadPool, eventLoop: any EventLoop
    ) -> EventLoopFuture<TLSContext>? {
        guard let keeper else { return nil }
        let keys = pins.map { Fingerprint($0) }
        let kept = threads.runIfActive(eventLoop: eventLoop) { try keeper.keep(keys) }
        writing = kept.map { _ in }.recover { _ in }
        return kept
    }

    /// Takes the result of the write that `keep` began.
    ///
    /// - Returns: whether the pins are durable.
    mutating func ended(_ result: Result<TLSContext, any Error>, logger: Logger) -> Bool {
        writing = nil
        do {
            context = try result.get()
            return true
        } catch {
            // Log only the first failure of a run: a home that cannot be written usually stays so.
            if !hasFailed {
                logger.warning("The gateway's next key could not be pinned", metadata: ["error": "\(error)"])
            }
            hasFailed = true
            return false
        }
    }
}
