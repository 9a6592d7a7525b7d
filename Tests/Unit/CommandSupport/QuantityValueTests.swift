import CommandSupport
import Testing

/// Tests of the messages about sizes and times on the command line that cannot be read.
@Suite struct QuantityValueTests {
    @Test(
        arguments: [
            (["push", "f", "--expect-size", "5"], "--expect-size: a number needs a unit, such as 8MiB"),
            (["receipts", "prune", "--older-than=90"], "--older-than: a number needs a unit, such as 30s"),
            (["digest", "f", "--part-size", "8mb"], "--part-size: must be a size, such as 8MiB, not \"8mb\""),
            (["init", "--gateway", "g"], "--gateway: must be an address, HOST:PORT or [IPV6]:PORT, not \"g\""),
        ])
    func reasonIsGiven(arguments: [String], start: String) {
        let sentence = QuantityValue(arguments: arguments[...])?.sentence
        #expect(sentence?.hasPrefix(start) == true, "\(sentence ?? "none")")
    }

    @Test(
        arguments: [
            ["push", "f", "--expect-size", "5B"], ["push", "--key", "k", "--", "cmd", "--older-than", "5"],
            ["receipts", "prune", "--older-than"], ["receipts", "prune", "--older-than", "--json"], ["push", "5"],
        ])
    func otherArgumentsAreLeftAlone(arguments: [String]) {
        #expect(QuantityValue(arguments: arguments[...]) == nil)
    }
}
