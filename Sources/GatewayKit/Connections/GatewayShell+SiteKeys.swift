import Cryptography
import Foundation
import Logging
import SystemSupport
import TransferCore
import WireProtocol

// Changes of the site's keys while the gateway serves, and the pins that devices report.

extension GatewayShell {
    /// Files that an operator may change while the gateway serves, and files that the gateway writes.
    struct Files: Sendable {
        let home: GatewayHome
        let devices: WatchedFile<DeviceList>
        let invitations: WatchedFile<InvitationList>
        /// `nil` on plain TCP, where devices prove no key.
        var pins: DevicePins?
    }

    /// Sets the announced key of the site; `nil` if none is announced.
    func announce(_ next: Fingerprint?) {
        guard machine.nextSiteKey != next?.digest else { return }
        machine.handle(.nextSiteKeyChanged(next?.digest), now: now)
        let text = next.map { "\($0)" } ?? "none"
        logger.notice("The site's next key", metadata: ["fingerprint": "\(text)"])
    }

    /// Uses these certificates for new connections. If they are for another key, ends the connections that have seen
    /// the old key.
    ///
    /// - Parameter replaceSigner: makes the new key sign receipts. New connections prove the new key from the same
    ///   moment on.
    func show(_ newest: ShownIdentity.Shown, in shown: ShownIdentity, replaceSigner: @Sendable () -> Void) {
        let isOtherKey = shown.now?.fingerprint != newest.fingerprint
        shown.replace(by: newest)
        replaceSigner()
        guard isOtherKey else { return }
        logger.notice("The gateway now proves another key", metadata: ["key": "\(newest.fingerprint)"])
        machine.handle(.siteKeyChanged, now: now)
        perform()
    }

    /// Records the pins of a welcomed device.
    func rememberPins(of hello: Hello, on id: ConnectionID) {
        guard let pins = files.pins, let device = machine.deviceName(on: id) else { return }
        pins.heard(device, identity: hello.fingerprint, pins: hello.pins, at: Date())
    }
}
