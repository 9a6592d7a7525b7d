import AgentKit
import Testing

/// Tests of the names of network interfaces.
@Suite struct NetworkInterfacesTests {
    @Test(arguments: [
        ("eth0", true), ("wlx00c0caaabbcc", true), ("eth0.100", true), ("", false), ("a/b", false), ("a b", false),
        ("sixteen-letters-", false), ("a\u{0}b", false), ("a\u{7F}b", false),
    ])
    func interfaceNamesAreValidated(name: String, isName: Bool) {
        #expect(NetworkInterfaces.isName(name) == isName)
    }
}
