import Cryptography
import Logging
import NIOCore
import NIOPosix
import SecureChannel
import SystemSupport
import TransferCommon
import TransferCore

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

extension AgentShell {
    /// Writes pins on a thread that may block, and passes the result to the machine.
    func keepPins(_ pins: [SHA256Digest]) {
        guard let keeper = configuration.pinKeeper else { return machine.handle(.pinsKept(isDurable: false), now: now) }
        let keys = pins.map { Fingerprint($0) }
        let kept = threads.runIfActive(eventLoop: eventLoop) { try keeper.keep(keys) }
        pinning = kept.map { _ in }.recover { _ in }
        kept.whenComplete { result in
            self.assumeIsolated { shell in
                shell.pinning = nil
                switch result {
                case .success(let tls): shell.tls = tls
                case .failure(let error): shell.tellOnce("The gateway's next key could not be pinned", error)
                }
                shell.handle(.pinsKept(isDurable: result.isSuccess))
            }
        }
    }

    /// Logs only the first failure of a run: a home that cannot be written usually stays so.
    private func tellOnce(_ message: Logger.Message, _ error: any Error) {
        guard !hasToldOfPins else { return }
        hasToldOfPins = true
        logger.warning(message, metadata: ["error": "\(error)"])
    }

    /// Waits until the current write of pins has succeeded or failed.
    func finishPinning() async {
        // Ignore a failure, which has been logged already. Repeat, because another write may have begun meanwhile.
        while let pinning { try? await pinning.get() }
    }
}

extension Result {
    fileprivate var isSuccess: Bool {
        if case .success = self { true } else { false }
    }
}
