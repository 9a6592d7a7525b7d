import Cryptography
import Foundation
import GatewayKit
import SecureChannel
import TestSupport
import Testing
import TransferCommon
import TransferCore
import WireProtocol

/// Tests of the list of devices that may use a site.
@Suite
struct DeviceListTests {
    private static let one = String(repeating: "1", count: 64)
    private static let two = String(repeating: "2", count: 64)

    @Test func roundTrips() throws {
        var list = DeviceList()
        let fingerprints = try [Self.one, Self.two].map { try #require(SHA256Digest($0)) }
        try list.add(AuthorisedDevice(name: "cam-1", fingerprint: fingerprints[0], prefix: "cam1/"))
        try list.add(AuthorisedDevice(name: "ship.2_b", fingerprint: fingerprints[1], prefix: ""))
        #expect(try DeviceList(parsing: list.text) == list)
    }

    @Test func skipsCommentsAndEmptyLines() throws {
        let list = try DeviceList(parsing: "# a comment\n\n  \ncam sha256:\(Self.one) prefix=a/b/ # the yard\n")
        #expect(list.devices.map(\.name) == ["cam"])
        #expect(list.devices.map(\.prefix) == ["a/b/"])
    }

    /// CR LF is a single `Character`. A parser that does not recognise it as the end of a line would treat all devices
    /// after a comment as part of the comment.
    @Test func readsLinesThatEndInCRLF() throws {
        let text = "# the fleet\r\ncam sha256:\(Self.one) prefix=a/\r\n# the yard\r\nyard sha256:\(Self.two)\r\n"
        let list = try DeviceList(parsing: text)
        #expect(list.devices.map(\.name) == ["cam", "yard"])
        #expect(list.devices.map(\.prefix) == ["a/", "yard/"])
    }

    @Test func deviceWritesBelowItsNameUnlessItsLineSaysOtherwise() throws {
        let text =
            "cam sha256:\(Self.one)\nship sha256:\(Self.two) prefix=\nyard certificate\ngate certificate prefix=\n"
        let list = try DeviceList(parsing: text)
        #expect(list.devices.map(\.prefix) == ["cam/", ""])
        #expect(list.certificateRules.map(\.options?.prefix) == ["yard/", ""])
        let lines = list.text.split(separator: "\n").dropFirst().map(String.init)
        #expect(
            lines == [
                "cam  sha256:\(Self.one)  prefix=cam/", "ship  sha256:\(Self.two)  prefix=",
                "yard  certificate  prefix=yard/", "gate  certificate  prefix=",
            ])
        #expect(try DeviceList(parsing: list.text) == list)
    }

    /// `NAME/` is no valid prefix for these names, so such a device needs a prefix that the operator chooses.
    @Test(arguments: ["..", ".", ".sluice"])
    func nameThatIsNoPrefixNeedsAnother(name: String) throws {
        #expect(throws: DeviceListError.self) { try DeviceList(parsing: "\(name) sha256:\(Self.one)\n") }
        let list = try DeviceList(parsing: "\(name) sha256:\(Self.one) prefix=a/\n")
        #expect(list.devices.map(\.prefix) == ["a/"])
    }

    @Test func devicesThatMayWriteAnyKeyAreNamed() async throws {
        try await withTemporaryDirectory { directory in
            let home = GatewayHome(path: directory.path(percentEncoded: false))
            let fingerprint = try home.create(name: "gate")
            try home.addDevice(name: "ship", fingerprint: fingerprint, prefix: nil)
            try home.addCertifiedDevice(name: "cam", prefix: nil)
            #expect(try home.devices().devices.map(\.prefix) == ["ship/"])
            #expect(try !home.deviceLines().contains("any key"))
            try home.addDevice(name: "any", fingerprint: Fingerprint(try .of([1])), prefix: "")
            try home.addCertifiedDevice(name: "yard", prefix: "")
            let lines = try home.deviceLines().split(separator: "\n")
            #expect(lines.filter { $0.contains("any key") } == ["# any may write any key", "# yard may write any key"])
            #expect(DeviceOptions(device: "cam", prefix: nil).permission(of: "cam").hasSuffix("begin with cam/"))
            #expect(DeviceOptions(device: "cam", prefix: "").permission(of: "cam").contains("any key"))
        }
    }

    /// A combining mark forms one `Character` with the character before it. At the start of a prefix, the character
    /// before the mark is the equals sign of `prefix=`.
    @Test(arguments: ["\u{338}a/", "\u{301}/", "\u{600}/", "a\u{301}/"])
    func readsPrefixesWithCombiningMarks(prefix: String) throws {
        var list = DeviceList()
        try list.add(
            AuthorisedDevice(name: "cam", fingerprint: try #require(SHA256Digest(Self.one)), prefix: prefix))
        let again = try DeviceList(parsing: list.text)
        #expect(again.devices.map { Array($0.prefix.utf8) } == [Array(prefix.utf8)])
    }

    @Test(arguments: [
        "cam", "cam sha256:12", "cam sha256:\(one) prefix=a", "cam sha256:\(one) prefix=/", "cam sha256:\(one) speed=9",
        "c/m sha256:\(one)", "cam sha256:\(one) prefix=../x/", "cam sha256:\(one) prefix=.sluice/",
        "cam sha256:\(one)\ncam sha256:\(two)", "cam sha256:\(one)\nyard sha256:\(one)",
        "cam sha256:\(one)\ncam revoked", "cam certificate\ncam revoked", "cam revoked prefix=a/", "cam Revoked",
        "cam sha256:\(one) prefix", "cam sha256:\(one) connections=0", "cam sha256:\(one) connections=-1",
        "cam sha256:\(one) connections=+1", "cam sha256:\(one) connections=", "cam sha256:\(one) connections",
        "cam sha256:\(one) sessions=0", "cam sha256:\(one) sessions=1.5",
        "cam sha256:\(one) sessions=9223372036854775808",
        "cam sha256:\(one) budget=16", "cam sha256:\(one) budget=0MiB", "cam sha256:\(one) budget=512KiB",
        "cam sha256:\(one) budget=7MiB", "cam sha256:\(one) budget=MiB", "cam revoked sessions=1",
        "cam certificate prefix=a", "cam certificate speed=9", "c/m certificate", "c/m revoked", "cam sha256",
    ])
    func refusesMalformedLines(text: String) {
        #expect(throws: DeviceListError.self) { try DeviceList(parsing: text) }
    }

    @Test func readsAndWritesTheLimitsOfADevice() throws {
        let text =
            "a sha256:\(Self.one) connections=2 sessions=30 budget=16MiB prefix=a/\n"
            + "b certificate sessions=1\nc sha256:\(Self.two) budget=99999999999999MiB sessions=5 sessions=6\n"
        let list = try DeviceList(parsing: text)
        #expect(
            list.devices.map(\.limits) == [
                DeviceLimits(connectionsMax: 2, sessionsMax: 30, budgetBytes: 16 << 20),
                DeviceLimits(sessionsMax: 6, budgetBytes: (.max >> 20) << 20),
            ])
        #expect(list.devices.map(\.prefix) == ["a/", "c/"])
        #expect(list.certificateRules.map(\.options?.limits) == [DeviceLimits(sessionsMax: 1)])
        #expect(list.certificateRules.map(\.options?.prefix) == ["b/"])
        #expect(list.text.contains("a  sha256:\(Self.one)  prefix=a/  connections=2  sessions=30  budget=16MiB\n"))
        #expect(try DeviceList(parsing: list.text) == list)
    }

    @Test(arguments: [
        DeviceLimits(connectionsMax: 0), DeviceLimits(sessionsMax: -1), DeviceLimits(budgetBytes: 7 << 20),
        DeviceLimits(budgetBytes: (9 << 20) + 1), DeviceLimits(budgetBytes: 0),
    ])
    func refusesLimitsThatItCannotWrite(limits: DeviceLimits) throws {
        var list = DeviceList()
        let fingerprint = try #require(SHA256Digest(Self.one))
        #expect(throws: DeviceListError.self) {
            try list.add(AuthorisedDevice(name: "a", fingerprint: fingerprint, prefix: "", limits: limits))
        }
        #expect(throws: DeviceListError.self) {
            try list.add(CertificateRule.known(name: "a", prefix: nil, limits: limits))
        }
        #expect(list == DeviceList())
    }

    @Test func namesTheLineThatIsWrong() throws {
        do {
            _ = try DeviceList(parsing: "# first\ncam sha256:\(Self.one)\nyard nonsense\n")
            Issue.record("the list was taken")
        } catch {
            #expect(error.line == 3)
            #expect(error.description.contains("line 3"))
        }
    }

    @Test func readsCertificateRules() throws {
        let text =
            "ship sha256:\(Self.one)\ncam1 certificate\ncam2 certificate prefix=yard/\ncam3 certificate prefix=\n"
        let list = try DeviceList(parsing: text + "cam4 revoked # stolen\n")
        #expect(list.devices.map(\.name) == ["ship"])
        #expect(list.certificateRules.map(\.name) == ["cam1", "cam2", "cam3", "cam4"])
        #expect(list.certificateRules.map(\.options?.prefix) == ["cam1/", "yard/", "", nil])
        #expect(try DeviceList(parsing: list.text) == list)
    }

    @Test func revokedNameStaysOnTheList() async throws {
        try await withTemporaryDirectory { directory in
            let home = GatewayHome(path: directory.path(percentEncoded: false))
            let fingerprint = try home.create(name: "gate")
            try home.addDevice(name: "ship", fingerprint: fingerprint, prefix: "ship/")
            // The list contains only devices with keys and no certificate rules. So revoking a name that it does not
            // contain is an error.
            #expect(throws: DeviceListError.self) { try home.revokeDevice(name: "cam") }
            try home.revokeDevice(name: "ship")
            #expect(try home.devices().devices == [])
            // The line of a revoked device stays on the list. Otherwise a certificate with this name could give the
            // device access again.
            #expect(try home.devices().certificateRules.map(\.name) == ["ship"])
            try home.addDevice(name: "ship", fingerprint: fingerprint, prefix: "ship/")
            try home.revokeDevice(name: "ship", hasAuthority: true)
            try home.revokeDevice(name: "cam", hasAuthority: true)
            #expect(try home.devices().devices == [])
            #expect(try home.devices().certificateRules.map(\.options?.prefix) == [nil, nil])
            #expect(throws: DeviceListError.self) { try home.revokeDevice(name: "cam", hasAuthority: true) }
            #expect(throws: DeviceListError.self) { try home.revokeDevice(name: "cam") }
            // Revoked names do not show that the site has an authority. So a wrong name is still an error.
            #expect(throws: DeviceListError.self) { try home.revokeDevice(name: "yard") }
            // A device with a certificate shows that. So a name that is not on the list can be revoked.
            try home.addCertifiedDevice(name: "quay", prefix: nil)
            try home.revokeDevice(name: "yard")
            #expect(try home.devices().hasRevoked("yard"))
            try home.addDevice(name: "ship", fingerprint: fingerprint, prefix: "ship/")
            try home.addCertifiedDevice(name: "cam", prefix: nil)
            #expect(try home.devices().devices.map(\.name) == ["ship"])
            #expect(try home.devices().certificateRules.map(\.options?.prefix) == ["quay/", nil, "cam/"])
            #expect(throws: DeviceListError.self) { try home.addCertifiedDevice(name: "ship", prefix: nil) }
        }
    }
}
