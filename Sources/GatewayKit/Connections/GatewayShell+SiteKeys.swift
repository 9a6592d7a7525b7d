import Cryptography
import Foundation
import Logging
import SystemSupport
import TransferCore
import WireProtocol

// The site's keys while the gateway serves, and what devices have said of them.

extension GatewayShell {
    /// What an operator may change while the gateway serves, and what it learns meanwhile.
    struct Files: Sendable {
        let home: GatewayHome
        let devices: WatchedFile<DeviceList>
        let invitations: WatchedFile<InvitationList>
        /// `nil` on plain TCP, where devices prove no key.
        var pins: DevicePins?
    }

    /// The site's next key was announced, or is no more.
    func announce(_ next: Fingerprint?) {
        guard machine.nextSiteKey != next?.digest else { return }
        machine.nextSiteKey = next?.digest
        let text = next.map { "\($0)" } ?? "none"
        logger.notice("The site's next key", metadata: ["fingerprint": "\(text)"])
    }

    /// Connections are made with these certificates from now on. Where they are for another key, connections that have
    /// seen the one before end.
    ///
    /// - Parameter replaceSigner: receipts are signed by the key that connections prove, from the same moment on.
    func show(_ newest: ShownIdentity.Shown, in shown: ShownIdentity, replaceSigner: @Sendable () -> Void) {
        let isOtherKey = shown.now?.fingerprint != newest.fingerprint
        shown.replace(by: newest)
        replaceSigner()
        guard isOtherKey else { return }
        logger.notice("The gateway proves another key from now on", metadata: ["key": "\(newest.fingerprint)"])
        machine.siteKeyChanged(now: now)
        perform()
    }

    /// Keeps what a device that was welcomed has pinned.
    func rememberPins(of hello: Hello, on id: ConnectionID) {
        guard let pins = files.pins, let device = machine.deviceName(on: id) else { return }
        pins.heard(device, identity: hello.fingerprint, pins: hello.pins, at: Date())
    }
}
