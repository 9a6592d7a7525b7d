import CommandSupport
import Testing

/// Tests of the message about a negative number, which the parser of arguments takes for a flag.
@Suite struct NegativeValueTests {
    @Test(arguments: [
        (["receipts", "prune", "--older-than", "-1d"], "-1d is no value for --older-than: numbers, sizes and times"),
        (["push", "f", "--concurrency", "-1", "--json"], "-1 is no value for --concurrency: "),
        (["push", "f", "--limit-rate", "-.5MB/s"], "-.5MB/s is no value for --limit-rate: "),
        (
            ["abort", "-5"],
            "-5 is no number here, because numbers are not negative; a file of that name is written ./-5."
        ),
        (["push", "--key", "-1\n"], "-1\\u{a} is no value for --key: "),
    ])
    func negativeNumberIsNamed(arguments: [String], start: String) throws {
        let value = try #require(NegativeValue(arguments: arguments[...]))
        #expect(value.sentence.hasPrefix(start), "\(value.sentence)")
    }

    @Test(arguments: [
        [], ["push", "f"], ["push", "-", "--key", "k"], ["push", "--older-than=-1d"], ["push", "-h"],
        ["push", "--key", "k", "--", "head", "-5"],
    ])
    func otherArgumentsArePassedOn(arguments: [String]) {
        #expect(NegativeValue(arguments: arguments[...]) == nil)
    }
}
