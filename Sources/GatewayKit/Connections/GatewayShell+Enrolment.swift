import Cryptography
import FoundationEssentials
import Logging
import NIOCore
import NIOPosix
import SystemSupport
import TransferCommon
import TransferCore
import WireProtocol

// Devices that enrol by an invitation (specification §5.2).

extension GatewayShell {
    /// Enrols a device by the secret of an invitation. Refuses an unknown secret at once. If the secret is known,
    /// another thread changes the files, because the event loop must not block.
    func enrol(_ id: ConnectionID, _ fingerprint: Fingerprint, _ secret: InvitationSecret) {
        do {
            guard try invitations.live(secret.digest(), at: Date()) != nil else { return enrolled(.invalid, on: id) }
        } catch {
            return enrolled(.unavailable, on: id)
        }
        let voided: @Sendable (any Error) -> Void = { [logger] error in
            logger.log("A used invitation is still in its file", error, at: .error)
        }
        // Each secret works only once, so there are never more of these tasks than invitations.
        enrolments[id] = Task { [home = files.home, logger] in
            var outcome = EnrolmentOutcome.unavailable
            do {
                let device = try await NIOThreadPool.singleton.runIfActive {
                    try home.redeem(secret, by: fingerprint, voided: voided)
                }
                outcome = device.map { .registered($0) } ?? .invalid
            } catch {
                logger.log("An invitation could not be used", error, at: .error, ["fingerprint": "\(fingerprint)"])
            }
            if case .registered(let device) = outcome {
                logger.notice("Enrolled", metadata: ["device": "\(device.name)", "fingerprint": "\(fingerprint)"])
            }
            // Give the machine the new device list before it answers: the device may connect right after the answer.
            await self.listsRefreshed()
            self.enrolled(outcome, on: id)
        }
    }

    private func listsRefreshed() async {
        // try?: the future of `refreshLists` never fails.
        try? await refreshLists().get()
    }

    private func enrolled(_ outcome: EnrolmentOutcome, on id: ConnectionID) {
        enrolments[id] = nil
        machine.handle(.enrolled(outcome, on: id), now: now)
        perform()
    }
}
