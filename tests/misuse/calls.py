#!/usr/bin/env python3
"""Writes a C file with one call of each public function, and what its documentation promises.

usage: calls.py SOURCE-ROOT OUTPUT

A function with a parameter that is not known here ends the build: give it a value in VALUES or OWN.
"""

import pathlib
import re
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / 'abi'))

import headers  # noqa: E402

HANDLES = ('client', 'loop', 'elem', 'jid', 'slot', 'error', 'module', 'ping', 'cert', 'ask', 'test_server')

# what is given for a parameter, by its type and name, or by its type alone
VALUES = {
    'xmpp_client *': 'fix->client',
    'xmpp_loop *': 'fix->loop',
    'xmpp_stream *': 'fix->stream',
    'xmpp_slot *': 'fix->slot',
    'xmpp_elem *': 'fix->elem',
    'xmpp_elem * iq': 'fix->iq',
    'xmpp_elem * src': 'fix->sealed',
    'xmpp_elem * request': 'fix->sealed',
    'xmpp_jid *': 'fix->jid',
    'xmpp_error *': 'fix->error',
    'xmpp_module *': 'fix->module',
    'xmpp_ping *': 'fix->ping',
    'xmpp_cert *': 'fix->cert',
    'xmpp_ask *': 'fix->ask',
    'xmpp_test_server *': 'fix->server',
    'xmpp_test_conn *': 'fix->conn',
    'void * data': '"<a/>"',
    'void * user_data': 'fix',
    'void * ptr': 'fix_block()',
    'xmpp_destroy_fn': 'fix_on_destroy',
    'xmpp_state_fn': 'fix_on_state',
    'xmpp_drain_fn': 'fix_on_drain',
    'xmpp_reply_fn': 'fix_on_reply',
    'xmpp_stanza_fn': 'fix_on_stanza',
    'xmpp_cert_fn': 'fix_on_cert',
    'xmpp_ask_fn': 'fix_on_ask',
    'xmpp_task_fn': 'fix_on_task',
    'xmpp_io_fn': 'fix_on_io',
    'xmpp_log_fn': 'fix_on_log',
    'xmpp_ping_fn': 'fix_on_pong',
    'xmpp_module_create_fn': 'fix_on_create',
    'xmpp_realloc_fn': 'fix_realloc',
    'xmpp_test_event_fn': 'fix_on_event',
    'xmpp_test_stanza_fn': 'fix_on_test_stanza',
    'xmpp_test_data_fn': 'fix_on_test_data',
    'char * authcid': '"alice"',
    'char * cert_path': '"/nowhere/cert.pem"',
    'char * key_path': '"/nowhere/key.pem"',
    'char * pem_path': '"/nowhere/trust.pem"',
    'char * condition': '"item-not-found"',
    'char * domain': '"other.example"',
    'char * host': '"localhost"',
    'char * id': '"id1"',
    'char * lang': '"de-CH"',
    'char * local': '"alice"',
    'char * resource': '"r"',
    'char * mechanisms': '"SCRAM-SHA-256 PLAIN"',
    'char * types': '"tls-exporter"',
    'char * name': '"name"',
    'char * ns': '"urn:example"',
    'char * password': '"secret"',
    'char * secret': '"secret"',
    'char * pattern': '"<message/>"',
    'char * script': '"S: <message/>\\n"',
    'char * servers': '"127.0.0.1:53"',
    'char * str': '"alice@test.example/r"',
    'char * text': '"some text"',
    'char * type': '"get"',
    'char * user': '"alice"',
    'char * value': '"value"',
    'char * var': '"urn:example:feature"',
    'char * xml': '"<a/>"',
    'int fd': 'fix->fds[0]',
    'int events': 'XMPP_IO_READ',
    'int max_level': 'XMPP_LOG_DEBUG',
    'int kind': 'XMPP_IQ',
    'int kinds': 'XMPP_IQ',
    'int action': 'XMPP_TEST_SEND',
    'int tls_version': '0x0304',
    'int': '1',
    'int64_t max_wait_us': '0',
    'int64_t': '1',
    'size_t index': '0',
    'size_t len': '4',
    'size_t max_stanza_bytes': '100000',
    'size_t': '1',
    'uint16_t': '5222',
    'uint64_t': '1000000',
}
# the same for a parameter of one function
OWN = {
    ('xmpp_elem_create_error', 'type'): '"cancel"',
    ('xmpp_loop_set_io_events', 'slot'): 'fix->io_slot',
    ('xmpp_stream_add_channel_binding', 'type'): '"tls-exporter"',
    ('xmpp_stream_consume', 'len'): '0',
    ('xmpp_stream_create', 'framing'): 'XMPP_FRAMING_STREAM',
    ('xmpp_ask_answer', 'len'): '6',
    ('xmpp_stream_set_secret', 'len'): '6',
    ('xmpp_elem_get_attr_at', 'elem'): 'fix->sealed',
    ('xmpp_test_server_accept', 'fd'): 'fix->fds[1]',
    ('xmpp_test_server_set_tls_version', 'version'): '0x0303',
    ('xmpp_test_elem_match', 'elem'): 'fix->sealed',
}
# before the call
BEFORE = {'xmpp_loop_run': '(void)xmpp_loop_quit(fix->loop);'}
# and behind it
AFTER = {'xmpp_test_server_accept': 'fix->fds[1] = result->value == XMPP_OK ? -1 : fix->fds[1];'}
# "[optional]", but not with the other values that are given here
REFUSED = {('xmpp_ask_answer', 'secret'), ('xmpp_test_server_fail_at', 'text'),
           ('xmpp_test_conn_act', 'text'), ('xmpp_client_set_cert_files', 'cert_path')}
# lies that nobody can notice: a length that is not that of the pointer, a descriptor of somebody else
TRUSTED = {('xmpp_elem_parse', 'len'), ('xmpp_elem_add_text_len', 'len'), ('xmpp_stream_feed', 'len'),
           ('xmpp_stream_set_secret', 'len'), ('xmpp_stream_add_channel_binding', 'len'),
           ('xmpp_ask_answer', 'len'), ('xmpp_test_conn_send_bytes', 'len'), ('xmpp_test_server_accept', 'fd')}
ALLOWED = re.compile(r'optional\]|NULL allowed(?! only)|\bNULL: |NULL gives|or NULL\b|may be NULL(?! when)')


class Param:
    def __init__(self, function, declaration, doc):
        self.name = headers.param_name(declaration)
        self.declared = declaration[:declaration.rindex(self.name)].strip()
        self.type = self.declared.replace('const ', '')
        self.output = bool(re.match(r'ret(_|$)', self.name))
        self.pointer = '*' in self.type or self.type.endswith('_fn')
        self.text = self.declared == 'const char *'
        self.optional = self.name == 'user_data' or (
            bool(ALLOWED.search(doc)) and 'not NULL' not in doc.replace('Not NULL', '') and
            (function, self.name) not in REFUSED)
        if self.output:
            self.optional = '[out, optional]' in doc
        self.value = ''
        if not self.output:
            keys = (f'{self.type} {self.name}', self.type)
            found = [OWN.get((function, self.name))] + [VALUES.get(k) for k in keys]
            self.value = next((v for v in found if v), None)
            if not self.value:
                sys.exit(f'{function}: no value for "{declaration}"')

    def kind(self, function):
        if self.output:
            return 'OUTPUT'
        if self.text:
            return 'TEXT'
        if self.pointer:
            return 'POINTER'
        if (function, self.name) in TRUSTED:
            return 'FIXED'
        return 'WAIT' if self.name == 'max_wait_us' else 'NUMBER'


def param_doc(doc, name):
    match = re.search(r'@param(?:\[[^]]*\])? ' + name + r'\s+(.*?)(?=\n\s*\*\s*\n|\n\s*\* @|\*/)', doc, re.S)
    return ' '.join(match.group(1).replace('\n *', ' ').split()) if match else ''


def signatures(path):
    """Functions of a header with the declarations of their parameters."""
    code = headers.strip_comments(headers.strip_preprocessor(path.read_text(encoding='utf-8')))
    for function in headers.parse(path):
        text = re.search(r'\b' + function.name + r'\s*\((.*?)\)\s*;', code, re.S).group(1)
        yield function, [Param(function.name, d, param_doc(function.doc, headers.param_name(d)))
                         for d in headers.split_params(text)]


def is_loop_bound(function):
    """By its documentation, and able to say so."""
    doc = function.doc.lower()
    bound = 'thread of the loop.' in doc or 'thread of the loop;' in doc or re.search(
        r'@param \w+\s+(\[optional\] )?[^@\n]*(loop thread only|thread of the loop only)', doc)
    return bool(bound) and 'XMPP_ERR_INVAL' in function.doc and '_test_' not in function.name


def flags(function):
    doc = function.doc
    found = []
    if is_loop_bound(function):
        found.append('CALL_LOOP_THREAD')
    if 'only while XMPP_STATE_IDLE' in doc:
        found.append('CALL_WHILE_IDLE')
    if re.search(r'@retval XMPP_ERR_STATE\s+(not ready|no session)', doc):
        found.append('CALL_WHILE_READY')
    if re.search(r'@return\s+(also|or|otherwise)', doc):
        found.append('CALL_OTHER_ERRORS')
    if 'never NULL' in doc:
        found.append('CALL_NEVER_NULL')
    if 'XMPP_ERR_INVAL' in doc:
        found.append('CALL_HAS_ERRORS')
    return ' | '.join(found) or '0'


def emit_argument(index, params):
    param = params[index]
    value = param.value
    if param.name == 'len' and index > 0 and params[index - 1].text:
        value = f'a{index - 1} ? strlen(a{index - 1}) : {value}'
    if param.output:
        inner = param.declared[:-1].strip()
        if '*' in inner:
            yield f'    {inner}o{index} = FIX_UNTOUCHED;'
        else:
            yield f'    {inner} o{index} = ({inner})FIX_UNTOUCHED_NUMBER;'
        yield f'    {param.declared}a{index} = vary_is_null(vary, {index}) ? NULL : &o{index};'
    elif param.text:
        yield f'    const char *a{index} = vary_text(vary, {index}, {param.value});'
    elif param.pointer:
        space = '' if param.declared.endswith('*') else ' '
        yield f'    {param.declared}{space}a{index} = vary_is_null(vary, {index}) ? NULL : {param.value};'
    else:
        yield (f'    {param.declared} a{index} = ({param.declared})'
               f'vary_number(vary, {index}, (uint64_t)({value}));')


def emit_outputs(params):
    for index, param in enumerate(params):
        if not param.output:
            continue
        inner = param.declared[:-1].strip()
        if '*' not in inner:
            yield f'    result->touched |= o{index} != ({inner})FIX_UNTOUCHED_NUMBER;'
            continue
        yield f'    result->touched |= (const void *)o{index} != FIX_UNTOUCHED;'
        handle = re.match(r'xmpp_(\w+) \*$', inner)
        if inner == 'char *':
            free = 'xmpp_mem_free'
        elif handle and handle.group(1) in HANDLES:
            free = f'xmpp_{handle.group(1)}_unref'
        elif inner == 'xmpp_stream *':
            free = 'xmpp_stream_free'
        elif inner.startswith('const '):
            continue
        else:
            sys.exit(f'nobody knows how to free a "{inner}"')
        yield f'    if (a{index} && (const void *)o{index} != FIX_UNTOUCHED)'
        yield f'        {free}(o{index});'


def emit_call(function, params):
    name = function.name
    verb = re.match(r'xmpp_(\w+)_(ref|unref)$', name)
    if verb and verb.group(2) == 'unref':
        params[0].value = f'xmpp_{verb.group(1)}_ref({params[0].value})'
    if name == 'xmpp_stream_free':
        params[0].value = 'fix_take_stream(fix)'
    yield f'static void call_{name}(struct fix *fix, const struct vary *vary, struct result *result)'
    yield '{'
    for index in range(len(params)):
        yield from emit_argument(index, params)
    yield '    (void)fix;'
    yield '    (void)vary;'
    if name in BEFORE:
        yield '    ' + BEFORE[name]
    call = f'{name}({", ".join(f"a{i}" for i in range(len(params)))})'
    pointer = '*' in function.result
    yield f'    result->pointer = {call};' if pointer else f'    result->value = (int64_t){call};'
    if name in AFTER:
        yield '    ' + AFTER[name]
    yield from emit_outputs(params)
    if verb and verb.group(2) == 'ref':
        yield '    if (result->pointer)'
        yield f'        xmpp_{verb.group(1)}_unref(a0);' if 'const' not in params[0].declared else \
            f'        xmpp_{verb.group(1)}_unref((xmpp_{verb.group(1)} *)(uintptr_t)a0);'
    yield '}'
    yield ''


def emit_row(function, params):
    errors = sorted(set(re.findall(r'@retval (XMPP_ERR_\w+)', function.doc)))
    yield f'    {{.name = "{function.name}",'
    yield f'     .header = "{function.path.name}",'
    yield f'     .run = call_{function.name},'
    yield f'     .returns = {"RETURNS_POINTER" if "*" in function.result else "RETURNS_NUMBER"},'
    yield f'     .flags = {flags(function)},'
    yield f'     .errors = {{{", ".join(errors + ["0"])}}},'
    yield f'     .count = {len(params)},'
    yield '     .params = {'
    for param in params:
        handle = param.type.rstrip(' *') if param.pointer and not param.output else ''
        yield (f'         {{"{param.name}", "{handle}", PARAM_{param.kind(function.name)}, '
               f'{int(param.pointer)}, {int(param.optional)}}},')
    if not params:
        yield '         {0}'
    yield '     }},'


def main():
    root = pathlib.Path(sys.argv[1])
    known = [s for path in headers.public_headers(root) for s in signatures(path)]
    lines = ['/* Written by calls.py from the public headers. */', '#include "calls.h"', '', '#include <string.h>', '']
    for function, params in known:
        lines += emit_call(function, params)
    lines += ['const struct call calls[] = {']
    for function, params in known:
        lines += emit_row(function, params)
    lines += ['};', 'const size_t calls_count = sizeof calls / sizeof *calls;', '']
    pathlib.Path(sys.argv[2]).write_text('\n'.join(lines), encoding='utf-8')


if __name__ == '__main__':
    main()
