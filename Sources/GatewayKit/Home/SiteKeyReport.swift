package import Cryptography
package import FoundationEssentials
import SecureChannel
import TransferCore

/// The site's keys, and which devices know them, for an operator.
package struct SiteKeyReport: Sendable {
    /// What one device knows about the key that the report is about: the announced key, or the present key if none is
    /// announced.
    package struct Device: Equatable, Sendable {
        /// Whether the device would accept the gateway if the gateway presented only this key.
        package enum Knowledge: CaseIterable, Equatable, Sendable {
            /// The newest HELLO of the device lists the key among the device's pins.
            case knows
            case doesNotKnow
            /// The device pins no key, because it trusts the gateway's authority.
            case pinsNothing
            case neverHeard
        }

        package let name: String
        package let knowledge: Knowledge
        /// Time of the newest HELLO that this gateway received from the device, by the gateway's clock; `nil` if there
        /// is none.
        package let heard: Date?

        /// Whether the device would accept the gateway with this key alone.
        package var isFine: Bool { knowledge == .knows || knowledge == .pinsNothing }
    }

    package let present: Fingerprint
    /// Old keys whose certificates the gateway still presents, after the certificate of the present key; newest first.
    package let old: [Fingerprint]
    package let next: Fingerprint?
    package let problem: String?
    package let devices: [Device]

    /// The report as lines: first the keys, then the devices, then how many devices know the announced key, or the
    /// present key if none is announced.
    package var lines: [String] {
        var lines = ["present    \(present)"]
        lines += old.map { "old        \($0)  still shown, until identity retire" }
        if let next { lines.append("announced  \(next)") }
        if let problem { lines.append("problem    \(problem)") }
        let key = next == nil ? "the present key" : "the announced key"
        lines += devices.map { device in
            let words =
                switch device.knowledge {
                case .knows: "knows \(key)"
                case .doesNotKnow: "does not know \(key)"
                case .pinsNothing: "pins no key"
                case .neverHeard: "has not connected to this gateway"
                }
            let heard = device.heard.map { ", last connected \($0.formatted(.iso8601))" } ?? ""
            return "device     \(device.name)  \(words)\(heard)"
        }
        let ignorant = devices.count { !$0.isFine }
        if !devices.isEmpty {
            lines.append(
                ignorant == 0
                    ? "All devices know \(key), or pin none."
                    : "\(ignorant) of \(devices.count) devices did not name \(key) when they last connected here.")
        }
        return lines
    }
}

extension SiteKeyReport {
    /// The site's keys, and which devices know the announced key (the present key if none is announced).
    package static func read(from home: GatewayHome) throws -> SiteKeyReport {
        let keys = try home.siteKeys()
        let old = keys.identity.isVouchedFor ? [] : try keys.identity.chain().dropFirst().map(\.self)
        return SiteKeyReport(
            present: keys.identity.fingerprint, old: old, next: keys.next,
            problem: keys.problem?.description,
            devices: try knowledge(of: keys.next ?? keys.identity.fingerprint, in: home))
    }

    /// Whether each device knows a key. Covers the devices on the list, and the devices with certificates that have
    /// sent HELLO to this gateway.
    static func knowledge(of key: Fingerprint, in home: GatewayHome) throws -> [Device] {
        let list = try home.devices()
        let heard = try home.devicePins()
        let listed = Set(list.devices.map(\.name))
        var known = list.devices.map { (name: $0.name, entry: heard[$0.name], identity: $0.fingerprint) }
        for (name, entry) in heard.sorted(by: { $0.key < $1.key }) {
            guard !listed.contains(name), !list.hasRevoked(name),
                let identity = CertifiedDevices.identity(ofName: name)
            else { continue }
            known.append((name, entry, identity))
        }
        return known.compactMap { name, entry, identity in
            guard let entry, entry.identity == Fingerprint(identity).description else {
                // The stored entry belongs to a removed device, or to a device that had this name before. The device
                // that has the name now has not sent HELLO yet.
                return listed.contains(name) ? .init(name: name, knowledge: .neverHeard, heard: nil) : nil
            }
            let knowledge: Device.Knowledge =
                entry.pins.isEmpty ? .pinsNothing : entry.pins.contains(key.description) ? .knows : .doesNotKnow
            return .init(name: name, knowledge: knowledge, heard: entry.heard)
        }
    }
}
