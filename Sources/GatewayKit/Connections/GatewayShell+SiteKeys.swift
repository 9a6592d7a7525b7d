import Cryptography
import Foundation
import Logging
import SystemSupport
import TransferCore
import WireProtocol

// Changes of the site's keys while the gateway serves, and the keys that devices report to have pinned.

extension GatewayShell {
    /// Files that an operator may change while the gateway serves, and files that the gateway writes.
    struct Files: Sendable {
        let home: GatewayHome
        let devices: WatchedFile<DeviceList>
        let invitations: WatchedFile<InvitationList>
        /// The keys that devices have pinned; `nil` on plain TCP, where devices prove no key.
        var pins: DevicePins?
    }

    /// Gives the machine the site's announced next key, which it passes on to devices; `nil` if no key is announced.
    func announce(_ next: Fingerprint?) {
        guard machine.nextSiteKey != next?.digest else { return }
        machine.handle(.nextSiteKeyChanged(next?.digest), now: now)
        let text = next.map { "\($0)" } ?? "none"
        logger.notice("The site's next key", metadata: ["fingerprint": "\(text)"])
    }

    /// Uses the certificates `newest` for new connections. If their key differs from the previous one, the gateway ends
    /// the connections on which it has proved the previous key.
    ///
    /// - Parameter replaceSigner: makes the new key sign receipts. Called when new connections begin to prove this key.
    func show(_ newest: ShownIdentity.Shown, in shown: ShownIdentity, replaceSigner: @Sendable () -> Void) {
        let isOtherKey = shown.now?.fingerprint != newest.fingerprint
        shown.replace(by: newest)
        replaceSigner()
        guard isOtherKey else { return }
        logger.notice("The gateway now proves another key", metadata: ["key": "\(newest.fingerprint)"])
        machine.handle(.siteKeyChanged, now: now)
        perform()
    }

    /// Records which site keys a welcomed device has pinned, as its HELLO lists them.
    func rememberPins(of hello: Hello, on id: ConnectionID) {
        guard let pins = files.pins, let device = machine.deviceName(on: id) else { return }
        pins.heard(device, identity: hello.fingerprint, pins: hello.pins, at: Date())
    }
}
