import Cryptography
import Foundation
import GatewayKit
import Logging
import SecureChannel
import Synchronization
import SystemSupport
import TestSupport
import Testing
import TransferCommon
import TransferCore
import WireProtocol

/// Tests of invitations in a gateway's home: which device may redeem one, and how often.
@Suite
struct InvitationTests {
    private static func withHome(_ body: (GatewayHome) async throws -> Void) async throws {
        try await withTemporaryDirectory { directory in
            let home = GatewayHome(path: directory.appending(path: "home").path(percentEncoded: false))
            _ = try home.create(name: "gate")
            try await body(home)
        }
    }

    private static func invite(
        _ home: GatewayHome, _ name: String, prefix: String = "", limits: DeviceLimits = DeviceLimits(), hours: Int = 1
    ) throws -> MadeInvitation {
        try home.inviteDevice(
            name: name, options: DeviceOptions(prefix: prefix, limits: limits), gateway: "g:1",
            lifetime: .seconds(hours * 3_600))
    }

    private static func secret(
        _ home: GatewayHome, _ name: String, prefix: String = "", limits: DeviceLimits = DeviceLimits(), hours: Int = 1
    ) throws -> InvitationSecret {
        let made = try invite(home, name, prefix: prefix, limits: limits, hours: hours)
        return try #require(InvitationCode(text: made.code)).secret
    }

    private static func redeem(_ secret: InvitationSecret, by key: UInt8, in home: GatewayHome) throws
        -> AuthorisedDevice?
    {
        try home.redeem(secret, by: Self.key(key)) { Issue.record("\($0)") }
    }

    private static func key(_ byte: UInt8) throws -> Fingerprint { Fingerprint(try SHA256Digest.of([byte])) }

    @Test func limitsMoveToTheList() async throws {
        try await Self.withHome { home in
            let limits = DeviceLimits(connectionsMax: 3, sessionsMax: 40, budgetBytes: 8 << 20)
            let secret = try Self.secret(home, "cam", prefix: "cam/", limits: limits)
            #expect(try home.deviceLines().contains("prefix=cam/  connections=3  sessions=40  budget=8MiB"))
            #expect(try Self.redeem(secret, by: 1, in: home)?.limits == limits)
            #expect(try home.devices().devices.map(\.limits) == [limits])
        }
    }

    /// This holds even if a person has removed the prefix from the file of invitations.
    @Test func invitedDeviceWritesBelowItsName() async throws {
        try await Self.withHome { home in
            let code = try home.inviteDevice(
                name: "cam", options: DeviceOptions(device: "cam", prefix: nil), gateway: "g:1", lifetime: .seconds(60)
            ).code
            let written = try #require(FileManager.default.contents(atPath: home.invitationsPath))
            let text = String(decoding: written, as: UTF8.self)
            #expect(text.contains("  prefix=cam/\n"))
            #expect(
                try InvitationList(parsing: text.replacing("  prefix=cam/", with: "")).invitations.map(\.options.prefix)
                    == ["cam/"])
            let secret = try #require(InvitationCode(text: code)).secret
            #expect(try Self.redeem(secret, by: 1, in: home)?.prefix == "cam/")
        }
    }

    @Test func codeWorksOnce() async throws {
        try await Self.withHome { home in
            let secret = try Self.secret(home, "cam", prefix: "cam/")
            let device = try Self.redeem(secret, by: 1, in: home)
            #expect(device == AuthorisedDevice(name: "cam", fingerprint: try Self.key(1).digest, prefix: "cam/"))
            #expect(try home.devices().devices == [device])
            #expect(try home.invitations() == InvitationList())
            #expect(try Self.redeem(secret, by: 2, in: home) == nil)
            #expect(try Self.redeem(secret, by: 1, in: home) == device, "its answer may have been lost")
            #expect(try home.devices().devices.count == 1)
        }
    }

    @Test func oneOfManyRedeemersWins() async throws {
        try await Self.withHome { home in
            let secret = try Self.secret(home, "cam")
            let winners = try await withThrowingTaskGroup(of: Bool.self) { tasks in
                for number in 0..<16 {
                    // Each task acts like a process of its own: only the lock file keeps two tasks from redeeming the
                    // invitation at once.
                    tasks.addTask {
                        try Self.redeem(secret, by: UInt8(number), in: home) != nil
                    }
                }
                return try await tasks.reduce(into: 0) { $0 += $1 ? 1 : 0 }
            }
            #expect(winners == 1)
            #expect(try home.devices().devices.count == 1)
        }
    }

    @Test func invitationExpires() async throws {
        try await Self.withHome { home in
            _ = try Self.secret(home, "cam", hours: 2)
            #expect(try home.invitations().hasLive(at: Date()))
            #expect(try !home.invitations().hasLive(at: Date().addingTimeInterval(7_201)))
            let over = try Self.secret(home, "late", hours: 0)
            #expect(try Self.redeem(over, by: 1, in: home) == nil)
        }
    }

    @Test func newInvitationReplacesTheOld() async throws {
        try await Self.withHome { home in
            let (first, second) = (try Self.secret(home, "cam"), try Self.secret(home, "cam"))
            #expect(try Self.redeem(first, by: 1, in: home) == nil)
            #expect(try Self.redeem(second, by: 1, in: home) != nil)
        }
    }

    /// The operator learns that a code, which may be on its way to a device, is no longer valid.
    @Test func replacedInvitationIsNamed() async throws {
        try await Self.withHome { home in
            #expect(try Self.invite(home, "cam").advice(about: "cam") == nil)
            let first = try #require(try home.invitations().invitations.first?.expires)
            let second = try Self.invite(home, "cam", hours: 0)
            #expect(second.replaced == first)
            let advice = try #require(second.advice(about: "cam"))
            #expect(advice.contains("cam was open until ") && advice.contains("give the device the new code"))
            #expect(try Self.invite(home, "cam").replaced == nil, "an expired code was not valid any more")
            #expect(try Self.invite(home, "other").replaced == nil)
        }
    }

    @Test func removedInvitationIsNamed() async throws {
        try await Self.withHome { home in
            for (number, name) in ["cam", "certified"].enumerated() {
                _ = try Self.invite(home, name)
                let open = try home.invitations().invitations.first { $0.name == name }?.expires
                let removed =
                    number == 0
                    ? try home.addDevice(name: name, fingerprint: Self.key(1), prefix: nil)
                    : try home.addCertifiedDevice(name: name, prefix: nil)
                #expect(removed == open && removed != nil)
            }
            #expect(try home.addDevice(name: "new", fingerprint: Self.key(2), prefix: nil) == nil)
        }
    }

    @Test func revocationSaysWhatItHasDone() async throws {
        try await Self.withHome { home in
            _ = try Self.invite(home, "cam")
            let uninvited = try home.revokeDevice(name: "cam")
            #expect(!uninvited.isRevoked && uninvited.wasInvited)
            #expect(uninvited.sentence(about: "cam").hasPrefix("Removed the invitation for cam"))
            try home.addDevice(name: "cam", fingerprint: Self.key(1), prefix: nil)
            let revoked = try home.revokeDevice(name: "cam")
            #expect(revoked.isRevoked && !revoked.wasInvited)
            #expect(revoked.sentence(about: "cam").hasPrefix("Revoked cam; "))
            _ = try Self.invite(home, "new")
            let both = try home.revokeDevice(name: "new", hasAuthority: true)
            #expect(both.sentence(about: "new").hasPrefix("Revoked new, and removed its invitation"))
        }
    }

    @Test func revokingTheNameEndsTheInvitation() async throws {
        try await Self.withHome { home in
            let secret = try Self.secret(home, "cam")
            #expect(try home.deviceLines().contains("invited"))
            try home.revokeDevice(name: "cam")
            #expect(try !home.deviceLines().contains("invited"))
            #expect(try Self.redeem(secret, by: 1, in: home) == nil)
        }
    }

    /// An invitation removes an earlier revocation of its name only when its code is used.
    @Test func revokingARevokedNameEndsItsInvitation() async throws {
        try await Self.withHome { home in
            try home.addDevice(name: "cam", fingerprint: try Self.key(9), prefix: "")
            try home.revokeDevice(name: "cam", hasAuthority: true)
            let secret = try Self.secret(home, "cam")
            try home.revokeDevice(name: "cam", hasAuthority: true)
            #expect(try home.invitations() == InvitationList())
            #expect(try Self.redeem(secret, by: 1, in: home) == nil)
            #expect(throws: DeviceListError.self) { try home.revokeDevice(name: "cam", hasAuthority: true) }
        }
    }

    /// A name can have a certificate rule and an invitation if two homes share the device list but not the invitations.
    @Test func nameOfACertificateIsNotGivenToAKey() async throws {
        try await Self.withHome { home in
            let secret = try Self.secret(home, "cam")
            let invitations = try #require(FileManager.default.contents(atPath: home.invitationsPath))
            try home.addCertifiedDevice(name: "cam", prefix: nil)
            try invitations.write(to: URL(filePath: home.invitationsPath))
            #expect(try Self.redeem(secret, by: 1, in: home) == nil)
            #expect(try home.devices().devices.isEmpty)
        }
    }

    @Test func invalidNameIsNotInvited() async throws {
        try await Self.withHome { home in
            try home.addDevice(name: "cam", fingerprint: Self.key(1), prefix: "")
            for (name, prefix) in [("cam", ""), ("no spaces", ""), ("n", "no-slash"), ("n", "../")] {
                #expect(throws: DeviceListError.self) { try Self.secret(home, name, prefix: prefix) }
            }
        }
    }

    @Test func theFileHoldsNoSecret() async throws {
        try await Self.withHome { home in
            let secret = try Self.secret(home, "cam")
            let bytes = try Data(contentsOf: URL(filePath: home.invitationsPath))
            let text = String(decoding: bytes, as: UTF8.self)
            #expect(!text.contains(hexadecimal(secret.bytes)))
            #expect(text.contains(try secret.digest().description))
            let attributes = try FileManager.default.attributesOfItem(atPath: home.invitationsPath)
            #expect(attributes[.posixPermissions] as? Int == 0o600)
            #expect(try InvitationList(parsing: text).text == text)
        }
    }

    @Test(arguments: [
        "cam", "cam 00", "cam \(String(repeating: "0", count: 64)) tomorrow",
        "cam \(String(repeating: "0", count: 64)) 2026-11-24T15:00:00Z path=x",
    ])
    func damagedFileIsReported(line: String) {
        #expect(throws: InvitationListError(line: 3)) { try InvitationList(parsing: "# comment\n\n\(line)\n") }
    }

    @Test func addingTheDeviceEndsTheInvitation() async throws {
        try await Self.withHome { home in
            let secret = try Self.secret(home, "cam")
            try home.addDevice(name: "cam", fingerprint: Self.key(1), prefix: "")
            try home.revokeDevice(name: "cam")
            #expect(try Self.redeem(secret, by: 2, in: home) == nil)
        }
    }

    @Test func damagedFileDoesNotPreventRevocation() async throws {
        try await Self.withHome { home in
            try home.addDevice(name: "cam", fingerprint: Self.key(1), prefix: "")
            try "nonsense\n".write(toFile: home.invitationsPath, atomically: false, encoding: .utf8)
            #expect(throws: GatewayHomeError.self) { try home.revokeDevice(name: "cam") }
            #expect(try home.devices().devices == [])
            #expect(try home.deviceLines().contains("not an invitation"))
            // The command that lists the devices prints them all the same, and then ends with this error.
            var failures: [GatewayHomeError] = []
            _ = try home.deviceLines { failures.append($0) }
            #expect(failures.count == 1)
        }
    }

    @Test func aDeviceOnTheListUsesNoInvitation() async throws {
        try await Self.withHome { home in
            try home.addDevice(name: "other", fingerprint: Self.key(1), prefix: "")
            let secret = try Self.secret(home, "cam")
            #expect(try Self.redeem(secret, by: 1, in: home)?.name == "other")
            #expect(try Self.redeem(secret, by: 2, in: home)?.name == "cam")
        }
    }

    /// Gateways of a site may share the list through a symbolic link.
    @Test func aLinkStaysALink() async throws {
        try await Self.withHome { home in
            let shared = home.path + "/shared"
            try FileManager.default.moveItem(atPath: home.devicesPath, toPath: shared)
            try FileManager.default.createSymbolicLink(atPath: home.devicesPath, withDestinationPath: shared)
            let watched = WatchedFile(home.devicesPath, "device list", logger: .init(label: "test")) {
                () throws(GatewayHomeError) in try home.devices().devices
            }
            #expect(try watched.initial() == [])
            try home.addDevice(name: "cam", fingerprint: Self.key(1), prefix: "")
            #expect(watched.changed()?.map(\.name) == ["cam"])
            #expect(watched.changed() == nil)
            #expect(try FileManager.default.destinationOfSymbolicLink(atPath: home.devicesPath) == shared)
        }
    }

    @Test func danglingLinkStaysALink() async throws {
        try await Self.withHome { home in
            try FileManager.default.createDirectory(atPath: home.path + "/shared", withIntermediateDirectories: false)
            try FileManager.default.removeItem(atPath: home.invitationsPath)
            try FileManager.default.createSymbolicLink(
                atPath: home.invitationsPath, withDestinationPath: "shared/invitations")
            _ = try Self.secret(home, "cam")
            #expect(
                try FileManager.default.destinationOfSymbolicLink(atPath: home.invitationsPath) == "shared/invitations")
            #expect(try home.invitations().invitations.map(\.name) == ["cam"])
        }
    }

    /// A list that could not be parsed is read again only after the file has changed.
    @Test func aFileThatCouldNotBeReadIsReadLater() async throws {
        try await Self.withHome { home in
            let fails = Mutex(true)
            let watched = WatchedFile(home.devicesPath, "device list", logger: .init(label: "test")) {
                () throws(GatewayHomeError) -> [AuthorisedDevice] in
                if fails.withLock({ $0 }) {
                    let cause = FileError(FileCall(.openFile, home.devicesPath), errno: EMFILE)
                    throw GatewayHomeError("cannot read", cause: cause)
                }
                return try home.devices().devices
            }
            #expect(watched.changed() == nil)
            fails.withLock { $0 = false }
            #expect(watched.changed() == [])
            try "nonsense\n".write(toFile: home.devicesPath, atomically: false, encoding: .utf8)
            #expect(watched.changed() == nil)
            try DeviceList().text.write(toFile: home.devicesPath, atomically: true, encoding: .utf8)
            try home.addDevice(name: "cam", fingerprint: Self.key(1), prefix: "")
            #expect(watched.changed()?.count == 1)
        }
    }
}

/// Tests of rotating the site's key ring while a gateway serves.
@Suite
struct KeyRotationTests {
    @Test func rotatedRingOpensOldTokens() async throws {
        try await withTemporaryDirectory { directory in
            let home = GatewayHome(path: directory.appending(path: "home").path(percentEncoded: false))
            _ = try home.create(name: "gate")
            let (running, lagging) = (
                try SiteCryptography(keys: try home.keyRing()), try SiteCryptography(keys: try home.keyRing())
            )
            let before = try #require(running.seal(token: [1, 2, 3]))
            let rotated = try home.rotateKeys()
            #expect(try home.keyRing().entries == rotated.entries)
            running.replaceKeys(by: rotated)
            let after = try #require(running.seal(token: [4]))
            #expect(running.open(token: before) == .opened([1, 2, 3]))
            #expect(lagging.open(token: after) == .opened([4]), "a gateway one rotation behind")
            running.replaceKeys(by: try home.rotateKeys())
            #expect(running.open(token: before) == .opened([1, 2, 3]))
            #expect(lagging.open(token: try #require(running.seal(token: [5]))) == .keyUnknown)
        }
    }

    @Test func concurrentRotationsAreSerial() async throws {
        try await withTemporaryDirectory { directory in
            let home = GatewayHome(path: directory.appending(path: "home").path(percentEncoded: false))
            _ = try home.create(name: "gate")
            let first = try home.keyRing().entries
            try await withThrowingTaskGroup(of: Void.self) { tasks in
                for _ in 0..<8 { tasks.addTask { _ = try home.rotateKeys() } }
                try await tasks.waitForAll()
            }
            let last = try home.keyRing().entries
            #expect(last.count == first.count + 8)
            #expect(last.map(\.id).starts(with: first.map(\.id)), "nothing was lost")
        }
    }
}
