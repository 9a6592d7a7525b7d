import AgentKit
import Testing
import TransferCore

/// Tests of assigning connections to interfaces in turn. A replacement connection gets the interface of the lost one.
@Suite struct NetworkInterfacesTests {
    @Test func interfacesShareConnectionsEqually() {
        var interfaces = NetworkInterfaces(["wired", "radio"])
        #expect((1...4).map { interfaces.choose(for: ConnectionID($0)) } == ["wired", "radio", "wired", "radio"])
        interfaces.free(ConnectionID(2))
        interfaces.free(ConnectionID(4))
        #expect((5...7).map { interfaces.choose(for: ConnectionID($0)) } == ["radio", "radio", "wired"])
    }

    @Test func noInterfaceIsChosenWithoutNames() {
        var interfaces = NetworkInterfaces([])
        #expect(interfaces.choose(for: ConnectionID(1)) == nil)
    }

    @Test(arguments: [
        ("eth0", true), ("wlx00c0caaabbcc", true), ("eth0.100", true), ("", false), ("a/b", false), ("a b", false),
        ("sixteen-letters-", false), ("a\u{0}b", false), ("a\u{7F}b", false),
    ])
    func interfaceNamesAreValidated(name: String, isName: Bool) {
        #expect(NetworkInterfaces.isName(name) == isName)
    }
}
