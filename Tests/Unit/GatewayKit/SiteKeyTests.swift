import Cryptography
import Foundation
import GatewayKit
import Logging
import SecureChannel
import TestSupport
import Testing
import TransferCommon
import TransferCore
import WireProtocol

/// Tests of announcing, switching and retiring a site's key, and of crashes between their writes.
@Suite struct SiteKeyTests {
    private func with(_ body: (GatewayHome) async throws -> Void) async throws {
        try await withTemporaryDirectory { directory in
            let home = GatewayHome(path: directory.appending(path: "home").path(percentEncoded: false))
            _ = try home.create(name: "site")
            try await body(home)
        }
    }

    private func names(_ home: GatewayHome) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: home.path).sorted()
    }

    /// The files that a key change may write or remove, by name.
    private func files(_ home: GatewayHome) throws -> [String: Data] {
        let names = ["identity.crt", "identity.key", "identity.csr", "next.crt", "next.key"]
        return Dictionary(
            uniqueKeysWithValues: names.compactMap { name in
                FileManager.default.contents(atPath: home.path + "/" + name).map { (name, $0) }
            })
    }

    private func put(_ files: [String: Data], in home: GatewayHome) throws {
        for name in ["identity.crt", "identity.key", "identity.csr", "next.crt", "next.key"] {
            let path = home.path + "/" + name
            guard let file = files[name] else {
                if FileManager.default.fileExists(atPath: path) { try FileManager.default.removeItem(atPath: path) }
                continue
            }
            try file.write(to: URL(filePath: path))
            try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: path)
        }
    }

    // MARK: The steps

    @Test(arguments: [nil] + KeyType.allCases.map(Optional.some))
    func announceSwitchAndRetire(keyType: KeyType?) async throws {
        try await with { home in
            let old = try home.siteKeys().identity.fingerprint
            #expect(try home.siteKeys().next == nil)
            let next = try SiteKeyChange(of: home).announce(keyType)
            #expect(next != old)
            #expect(try home.siteKeys().next == next)
            #expect(try home.siteKeys().identity.fingerprint == old)
            #expect(
                try FileManager.default.attributesOfItem(atPath: home.siteKeyFiles.nextKeyPath)[.posixPermissions]
                    as? Int == 0o600)

            #expect(try SiteKeyChange(of: home).switchKey(force: false) == next)
            #expect(try home.siteKeys().identity.chain() == [next, old])
            #expect(try home.siteKeys().next == nil)

            #expect(try SiteKeyChange(of: home).retire(force: false) == next)
            #expect(try home.siteKeys().identity.chain() == [next])
            #expect(try home.siteKeys().identity.isSelfSigned)
            let left = try names(home).filter { !$0.hasSuffix(".lock") }
            #expect(
                left == [
                    "devices", "gateway.yaml", "identity.crt", "identity.csr", "identity.key", "invitations", "keys",
                ])
        }
    }

    @Test func eachStepIsSafeToRepeat() async throws {
        try await with { home in
            let next = try SiteKeyChange(of: home).announce()
            let announced = try files(home)
            #expect(try SiteKeyChange(of: home).announce(.p256) == next)
            #expect(try files(home) == announced)
            for _ in 0..<2 { #expect(try SiteKeyChange(of: home).switchKey(force: false) == next) }
            #expect(try home.siteKeys().identity.chain().count == 2)
            for _ in 0..<2 { #expect(try SiteKeyChange(of: home).retire(force: false) == next) }
        }
    }

    /// Devices that have pinned any of the old keys still accept the gateway.
    @Test func oldKeysAreShownInOrder() async throws {
        try await with { home in
            var chain = [try home.siteKeys().identity.fingerprint]
            for _ in 1..<PinnedChain.certificatesMax {
                chain.insert(try SiteKeyChange(of: home).announce(), at: 0)
                _ = try SiteKeyChange(of: home).switchKey(force: false)
                #expect(try home.siteKeys().identity.chain() == chain)
            }
            let error = #expect(throws: SiteKeyError.self) { try SiteKeyChange(of: home).announce() }
            #expect(error?.description.contains("identity retire") == true)
        }
    }

    @Test func switchNeedsAnAnnouncement() async throws {
        try await with { home in
            let error = #expect(throws: SiteKeyError.self) { try SiteKeyChange(of: home).switchKey(force: true) }
            #expect(error?.kind == .pointless)
            #expect(error?.description.contains("identity announce") == true)
        }
    }

    @Test func otherHomeSwitchesWithTheSameFiles() async throws {
        try await with { home in
            let other = GatewayHome(path: home.path + "-2")
            try FileManager.default.copyItem(atPath: home.path, toPath: other.path)
            let next = try SiteKeyChange(of: home).announce()
            try FileManager.default.copyItem(
                atPath: home.siteKeyFiles.nextCertificatePath, toPath: other.siteKeyFiles.nextCertificatePath)
            // The certificate alone announces the key, but a switch needs the private key too.
            #expect(try other.siteKeys().next == next)
            let error = #expect(throws: GatewayHomeError.self) { try SiteKeyChange(of: other).switchKey(force: false) }
            #expect(error?.description.contains("next.key") == true)
            #expect(throws: GatewayHomeError.self) { try SiteKeyChange(of: other).announce() }
            try FileManager.default.copyItem(
                atPath: home.siteKeyFiles.nextKeyPath, toPath: other.siteKeyFiles.nextKeyPath)
            #expect(try SiteKeyChange(of: other).announce() == next)
            #expect(try SiteKeyChange(of: home).switchKey(force: false) == next)
            #expect(try SiteKeyChange(of: other).switchKey(force: false) == next)
            #expect(try other.siteKeys().identity.chain() == home.siteKeys().identity.chain())
        }
    }

    @Test func linkedHomesChangeTogether() async throws {
        try await with { home in
            let other = GatewayHome(path: home.path + "-2")
            try FileManager.default.createDirectory(atPath: other.path, withIntermediateDirectories: false)
            for name in ["identity.crt", "identity.key", "identity.csr", "keys", "devices"] {
                try FileManager.default.createSymbolicLink(
                    atPath: other.path + "/" + name, withDestinationPath: home.path + "/" + name)
            }
            let next = try SiteKeyChange(of: other).announce()
            #expect(try home.siteKeys().next == next)
            #expect(try SiteKeyChange(of: other).switchKey(force: false) == next)
            for each in [home, other] {
                #expect(try each.siteKeys().identity.fingerprint == next)
                #expect(try each.siteKeys().next == nil)
            }
            #expect(
                try FileManager.default.destinationOfSymbolicLink(atPath: other.path + "/identity.key") == home.path
                    + "/identity.key")
        }
    }

    @Test func invalidAnnouncementDoesNotStopServing() async throws {
        try await with { home in
            try Data("nonsense".utf8).write(to: URL(filePath: home.siteKeyFiles.nextCertificatePath))
            let keys = try home.siteKeys()
            #expect(keys.next == nil)
            #expect(keys.problem?.description.contains("next.crt") == true)
            for step in [
                { try SiteKeyChange(of: home).announce() }, { try SiteKeyChange(of: home).switchKey(force: true) },
            ] {
                let error = #expect(throws: GatewayHomeError.self) { try step() }
                #expect(error?.description.contains("remove") == true)
            }
        }
        try await with { home in
            try await with { other in
                _ = try SiteKeyChange(of: other).announce()
                try FileManager.default.copyItem(
                    atPath: other.siteKeyFiles.nextCertificatePath, toPath: home.siteKeyFiles.nextCertificatePath)
                #expect(try home.siteKeys().next == nil)
                #expect(try home.siteKeys().problem?.description.contains("not signed by the present key") == true)
            }
        }
    }

    /// Agents trust the authority, which signs any key of the gateway, so no announcement is needed.
    @Test func certifiedKeyIsNotAnnounced() async throws {
        try await with { home in
            let authority = try await Authority(in: URL(filePath: home.path + "-authority"))
            try await authority.sign(home.path + "/identity.csr", to: home.path + "/identity.crt")
            #expect(try home.siteKeys().identity.isVouchedFor)
            let error = #expect(throws: SiteKeyError.self) { try SiteKeyChange(of: home).announce() }
            #expect(error?.description.contains("authority") == true)
        }
    }

    // MARK: Crashes

    @Test func interruptedAnnouncementIsFinished() async throws {
        try await with { home in
            let next = try SiteKeyChange(of: home).announce()
            try FileManager.default.removeItem(atPath: home.siteKeyFiles.nextCertificatePath)
            #expect(try home.siteKeys().next == nil)
            // When the operator announces again, the home uses the private key that the interrupted announcement has
            // written.
            #expect(try SiteKeyChange(of: home).announce() == next)
        }
    }

    /// After a crash between two writes a gateway can serve, and the operator can continue.
    @Test func interruptedSwitchIsFinished() async throws {
        try await with { home in
            let old = try home.siteKeys().identity.fingerprint
            let next = try SiteKeyChange(of: home).announce()
            let before = try files(home)
            _ = try SiteKeyChange(of: home).switchKey(force: false)
            let after = try files(home)
            var states: [[String: Data]] = []
            var state = before
            for name in ["identity.crt", "identity.key", "identity.csr", "next.crt", "next.key"] {
                state[name] = after[name]
                states.append(state)
            }
            #expect(states.last == after)
            for (index, state) in states.enumerated() {
                let steps: [() throws -> Fingerprint?] = [
                    { try SiteKeyChange(of: home).switchKey(force: false) },
                    { try SiteKeyChange(of: home).retire(force: false) },
                    {
                        _ = try SiteKeyChange(of: home).announce()
                        return nil
                    },
                ]
                for step in steps {
                    try put(state, in: home)
                    #expect(try home.siteKeys().identity.chain() == [next, old], "after file \(index)")
                    #expect(try home.siteKeys().next == nil, "after file \(index)")
                    let present = try step()
                    #expect(present == nil || present == next)
                    let keys = try home.siteKeys()
                    #expect(keys.identity.fingerprint == next)
                    #expect(keys.problem == nil)
                    #expect(present == nil || keys.next == nil)
                    #expect(keys.next != next)
                    #expect(try Identity.load(from: home.path).fingerprint == next, "the key is in its own file")
                }
            }
        }
    }

    // MARK: Keys that devices know

    private func fingerprint(_ number: UInt8) throws -> SHA256Digest { try .of([number]) }

    private func hear(
        _ device: String, _ number: UInt8, _ pins: [Fingerprint], in home: GatewayHome
    ) async throws {
        let kept = DevicePins(home: home, logger: Logger(label: "test"))
        kept.heard(device, identity: try fingerprint(number), pins: pins.map(\.digest), at: Date())
        await kept.write()
    }

    @Test func unawareDeviceStopsTheStep() async throws {
        try await with { home in
            let old = try home.siteKeys().identity.fingerprint
            try home.addDevice(name: "cam", fingerprint: Fingerprint(fingerprint(1)), prefix: "")
            let next = try SiteKeyChange(of: home).announce()
            func knowledge() throws -> [SiteKeyReport.Device.Knowledge] {
                try SiteKeyReport.read(from: home).devices.map(\.knowledge)
            }
            #expect(try knowledge() == [.neverHeard])
            #expect(throws: SiteKeyError.self) { try SiteKeyChange(of: home).switchKey(force: false) }
            try await hear("cam", 1, [old], in: home)
            #expect(try knowledge() == [.doesNotKnow])
            let refusal = #expect(throws: SiteKeyError.self) { try SiteKeyChange(of: home).switchKey(force: false) }
            #expect(refusal?.kind == .devices)
            #expect(refusal?.description.contains("cam") == true && refusal?.description.contains("--force") == true)
            #expect(try home.siteKeys().identity.fingerprint == old)
            // This device has not pinned the new key. Until the old key is retired, the certificate chain leads it from
            // its pin to the new key.
            #expect(try SiteKeyChange(of: home).switchKey(force: true) == next)
            #expect(throws: SiteKeyError.self) { try SiteKeyChange(of: home).retire(force: false) }
            #expect(try home.siteKeys().identity.chain() == [next, old])
            try await hear("cam", 1, [old, next], in: home)
            #expect(try knowledge() == [.knows])
            #expect(try SiteKeyChange(of: home).retire(force: false) == next)
        }
    }

    @Test func pinsOfAnotherKeyDoNotCount() async throws {
        try await with { home in
            try home.addDevice(name: "cam", fingerprint: Fingerprint(fingerprint(1)), prefix: "")
            let next = try SiteKeyChange(of: home).announce()
            try await hear("cam", 2, [next], in: home)
            #expect(try SiteKeyReport.read(from: home).devices.map(\.knowledge) == [.neverHeard])
            // A device that is no longer on any list does not count among those that lack the new key.
            try await hear("gone", 3, [], in: home)
            #expect(try SiteKeyReport.read(from: home).devices.map(\.name) == ["cam"])
        }
    }

    @Test func deviceWithoutPinsDoesNotStopTheStep() async throws {
        try await with { home in
            try home.addDevice(name: "cam", fingerprint: Fingerprint(fingerprint(1)), prefix: "")
            _ = try SiteKeyChange(of: home).announce()
            try await hear("cam", 1, [], in: home)
            #expect(try SiteKeyReport.read(from: home).devices.map(\.knowledge) == [.pinsNothing])
            _ = try SiteKeyChange(of: home).switchKey(force: false)
        }
    }

    @Test func unreadablePinsFileIsRewritten() async throws {
        try await with { home in
            try home.addDevice(name: "cam", fingerprint: Fingerprint(fingerprint(1)), prefix: "")
            let next = try SiteKeyChange(of: home).announce()
            try Data("nonsense".utf8).write(to: URL(filePath: home.devicePinsPath))
            let error = #expect(throws: GatewayHomeError.self) { try SiteKeyChange(of: home).switchKey(force: false) }
            #expect(error?.description.contains("device-pins.json") == true)
            try await hear("cam", 1, [next], in: home)
            #expect(try SiteKeyReport.read(from: home).devices.map(\.knowledge) == [.knows])
        }
    }
}
