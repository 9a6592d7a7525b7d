import GatewayKit
import SecureChannel
import Testing
import TransferCore
import WireProtocol

/// The list of devices that may use a site.
@Suite
struct DeviceListTests {
    private static let one = String(repeating: "1", count: 64)
    private static let two = String(repeating: "2", count: 64)

    @Test func readsWhatItHasWritten() throws {
        var list = DeviceList()
        let fingerprints = try [Self.one, Self.two].map { try #require(SHA256Digest($0)) }
        try list.add(AuthorisedDevice(name: "cam-1", fingerprint: fingerprints[0], prefix: "cam1/"))
        try list.add(AuthorisedDevice(name: "ship.2_b", fingerprint: fingerprints[1], prefix: ""))
        #expect(try DeviceList(parsing: list.text) == list)
    }

    @Test func passesOverCommentsAndEmptyLines() throws {
        let list = try DeviceList(parsing: "# a comment\n\n  \ncam sha256:\(Self.one) prefix=a/b/ # the yard\n")
        #expect(list.devices.map(\.name) == ["cam"])
        #expect(list.devices.map(\.prefix) == ["a/b/"])
    }

    @Test(arguments: [
        "cam", "cam sha256:12", "cam sha256:\(one) prefix=a", "cam sha256:\(one) prefix=/", "cam sha256:\(one) speed=9",
        "c/m sha256:\(one)", "cam sha256:\(one) prefix=../x/", "cam sha256:\(one) prefix=.sluice/",
        "cam sha256:\(one)\ncam sha256:\(two)", "cam sha256:\(one)\nyard sha256:\(one)",
    ])
    func refusesALineThatItDoesNotWhollyUnderstand(text: String) {
        #expect(throws: DeviceListError.self) { try DeviceList(parsing: text) }
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
}
