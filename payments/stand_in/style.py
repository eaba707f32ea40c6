"""The look of the hosted page."""

STYLE = """
* { box-sizing: border-box }
body { margin: 0; min-height: 100vh; background: #f6f7f9; color: #1f2430;
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "DejaVu Sans", sans-serif }
h1, h2, p, ul { margin: 0; padding: 0 }
h2 { font-size: 1.15rem; margin-bottom: 1rem }
.sides { display: grid; grid-template-columns: 1fr 1fr; min-height: 100vh }
section { padding: 4rem 3.5rem; width: 100%; max-width: 33rem }
.order { justify-self: end }
.form { background: #fff; max-width: none; box-shadow: -12px 0 32px rgb(31 36 48 / 6%) }
.form > * { max-width: 26rem }
.badge { display: inline-block; padding: .15rem .6rem; border-radius: 99px;
  background: #ffe9b8; color: #6b4700; font-size: .8rem; font-weight: 600; margin-bottom: 1.5rem }
.due { color: #5b6475 }
.amount { font-size: 2.4rem; line-height: 1.2; letter-spacing: -.02em; margin-bottom: 2rem }
ul { list-style: none }
li, .total { display: flex; justify-content: space-between; gap: 1.5rem; padding: .75rem 0 }
li > span:first-child { overflow-wrap: anywhere }
li > span:last-child, .total > span:last-child { white-space: nowrap }
li small { display: block; color: #5b6475 }
.total { border-top: 1px solid #dde1e8; margin-top: .5rem; font-weight: 600 }
.back { margin-top: 2.5rem }
a { color: #4b3fd1; text-decoration: none }
a:hover { text-decoration: underline }
label { display: block; font-size: .875rem; font-weight: 500; margin-bottom: 1rem }
input { display: block; width: 100%; margin-top: .3rem; padding: .65rem .75rem; font: inherit;
  font-size: 1rem; border: 1px solid #c9cfd9; border-radius: .5rem; background: #fff; color: inherit }
input::placeholder { color: #767f90 }
button { font: inherit; cursor: pointer; border-radius: .5rem }
:is(input, button, a):focus-visible { outline: 3px solid #b9b3f5; outline-offset: 1px; border-color: #5b4fe0 }
.pair { display: grid; grid-template-columns: 1fr 1fr; gap: 1rem }
.pay { width: 100%; padding: .75rem; border: 1px solid #4b3fd1; background: #5b4fe0; color: #fff;
  font-weight: 600 }
.pay:hover { background: #4b3fd1 }
.plain { width: 100%; padding: .75rem; border: 1px solid #c9cfd9; background: #fff; color: inherit;
  font-weight: 600 }
.plain:hover { background: #f6f7f9 }
.form p { margin-bottom: 1.25rem }
.form .or { display: flex; align-items: center; gap: .75rem; margin: 1.75rem 0 .75rem; color: #5b6475;
  font-size: .875rem }
.or::before, .or::after { content: ""; flex: 1; border-top: 1px solid #dde1e8 }
.cards { display: grid; gap: .5rem }
.card { display: flex; flex-wrap: wrap; justify-content: space-between; align-items: center; gap: 0 .75rem;
  width: 100%; padding: .55rem .75rem; text-align: left; background: #fff; color: inherit;
  border: 1px solid #dde1e8; border-left: 4px solid #8a93a5 }
.card:hover { background: #f6f7f9 }
.card b { font-weight: 600; font-size: .9rem; font-variant-numeric: tabular-nums; white-space: nowrap }
.card span { color: #5b6475; font-size: .85rem }
.good { border-left-color: #1f9d57 }
.bad { border-left-color: #d6404a }
.ask { border-left-color: #d99a1c }
.alert { padding: .75rem 1rem; border-radius: .5rem; background: #fdecee; color: #8f1d27; font-weight: 500 }
.form .fine { margin: 1.75rem 0 0; color: #5b6475; font-size: .85rem }
.note { max-width: 32rem; margin: 0 auto; padding: 18vh 1.5rem }
.note h1 { font-size: 1.6rem; margin-bottom: .75rem }
@media (max-width: 760px) {
  .sides { grid-template-columns: 1fr; min-height: 0 }
  section { padding: 1.75rem 1.25rem; max-width: none }
  .order { justify-self: stretch }
  .form { box-shadow: none; border-top: 1px solid #dde1e8 }
  .form > * { max-width: none }
  .amount { font-size: 2rem; margin-bottom: 1rem }
  .back { margin-top: 1rem }
}
"""
