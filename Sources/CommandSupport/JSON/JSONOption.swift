import ArgumentParser

/// The option of commands whose output programs can read.
package struct JSONOption: ParsableArguments {
    @Flag(help: "One JSON object a line.") package var json = false

    package init() {}
}
